select *, share(unknown, failed) as unknown_share
from
    (
        select
            coalesce(sum(messages), 0) as failed,
            coalesce(sum(messages) filter (where reason = 'unknown'), 0) as unknown
        from insights.delivery_failures
    )
