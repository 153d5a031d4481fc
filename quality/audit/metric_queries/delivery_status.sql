select
    coalesce(sum(contacts), 0) as contacts,
    share(sum(messages), sum(contacts)) as messages_per_contact,
    share(sum(settled * is_pending), sum(settled)) as pending_after_three_days_share,
    share(sum(settled_without_receipt), sum(settled)) as without_receipt_after_three_days_share,
    coalesce(sum(settled_lately), 0) as settled_lately,
    coalesce(sum(sent_lately), 0) as sent_lately,
    share(sum(settled_lately * is_pending), sum(settled_lately)) as pending_after_three_days_lately_share,
    share(sum(settled_lately * is_expired), sum(settled_lately)) as expired_after_three_days_lately_share,
    share(sum(sent_lately * is_delivered), sum(sent_lately)) as delivered_lately_share
from
    (
        select
            *,
            cast(delivery_status = 'pending' as bigint) as is_pending,
            cast(delivery_status = 'soft_bounce' as bigint) as is_expired,
            cast(delivery_status = 'delivered' as bigint) as is_delivered
        from status_counts
    )
