-- How many contacts did each campaign reach, how many clicked, and how many orders followed?
--
-- Receipts get lost, so a contact can click a message that was never reported as delivered: a step can be larger than the
-- step before.
select
    metrics.campaign_id,
    metrics.campaign_name,
    metrics.last_sent_at,
    overview.unique_sends as contacts_sent_to,
    overview.unique_deliveries as contacts_reached,
    metrics.unique_clickers as contacts_clicking,
    metrics.direct_orders,
    overview.unique_deliveries / nullif(overview.unique_sends, 0) as share_reached,
    metrics.unique_clickers / nullif(overview.unique_deliveries, 0) as clickers_per_reached,
    metrics.direct_orders / nullif(metrics.unique_clickers, 0) as orders_per_clicker
from campaign_metrics as metrics
inner join campaign_overview as overview using (campaign_id)
order by metrics.last_sent_at desc nulls last, metrics.campaign_id;
