-- Which campaigns earn the most per message sent?
--
-- Direct revenue, because an assisted order counts for several campaigns. Small campaigns lead by chance: raise the minimum
-- of total_sent.
select
    campaign_id,
    campaign_name,
    campaign_type,
    total_sent,
    revenue,
    revenue / total_sent as revenue_per_message
from campaign_metrics
where total_sent >= 1 -- 0 if every contact was skipped
order by revenue_per_message desc, campaign_id
limit 20;
