-- After which campaigns do most contacts opt out, per thousand sent to?
--
-- Contacts divided by contacts. Unsubscribes without an earlier message belong to no campaign.
select
    campaign_id,
    campaign_name,
    unique_sends,
    unsubscribes,
    1000 * unsubscribes / unique_sends as unsubscribes_per_thousand
from campaign_overview
where unique_sends > 0
order by unsubscribes_per_thousand desc, campaign_id
limit 20;
