select
    kinds,
    receipts,
    clicks,
    clicks + matched_clicks as clicks_of_all,
    messages_sent,
    share(receipts, messages_sent) as receipts_per_message,
    share(clicks, clicks_of_all) as clicks_share,
    share(unsubscribes, (select count(*) from attributed_unsubscribes)) as unsubscribes_share
from
    (
        select
            count(*) as kinds,
            coalesce(sum(events) filter (where log = 'receipts'), 0) as receipts,
            coalesce(sum(events) filter (where log = 'clicks'), 0) as clicks,
            coalesce(sum(events) filter (where log = 'unsubscribes'), 0) as unsubscribes
        from unmatched_events
    )
cross join
    (
        select
            coalesce(sum(total_sent), 0) as messages_sent,
            coalesce(sum(total_clicks) filter (where total_sent > 0), 0) as matched_clicks
        from campaign_metrics
    )
