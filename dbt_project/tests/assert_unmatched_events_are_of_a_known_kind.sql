with unmatched_events as (select * from {{ ref("unmatched_events") }})

select *
from unmatched_events
where
    concat(log, ' ', kind)
    not in ('receipts message_not_sent', 'clicks campaign_never_sent', 'unsubscribes nothing_sent_before')
    or first_at > last_at
