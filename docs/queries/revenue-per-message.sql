-- Which campaigns earn the most per message sent?
--
-- Direct revenue: an assisted order counts for several campaigns. Small campaigns lead by luck: ask for more messages.
select
    campaign_id,
    campaign_name,
    campaign_type,
    total_sent,
    revenue,
    revenue / total_sent as revenue_per_message
from campaign_metrics
where total_sent >= 1 -- none was sent where every contact was skipped
order by revenue_per_message desc, campaign_id
limit 20;
