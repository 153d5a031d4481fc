select kinds, receipts, messages, messages_sent, share(messages, messages_sent) as messages_share
from
    (
        select
            count(*) as kinds,
            coalesce(sum(unmapped.receipts), 0) as receipts,
            coalesce(sum(unmapped.messages), 0) as messages
        from unmapped_receipts as unmapped
    )
cross join (select coalesce(sum(total_sent), 0) as messages_sent from campaign_metrics)
