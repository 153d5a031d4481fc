-- How does click-to-delivered differ by type and month?
--
-- Computed from counts: the mean of the campaigns' rates would give ten messages the weight of a million.
select
    date_trunc('month', last_sent_at)::date as month,
    coalesce(campaign_type, 'unknown') as campaign_type,
    count(*) as campaigns,
    sum(total_delivered) as delivered,
    sum(unique_clickers) as clickers,
    sum(unique_clickers) / nullif(sum(total_delivered), 0) as click_to_delivered_rate
from campaign_metrics
where last_sent_at is not null
group by all
order by month, campaign_type;
