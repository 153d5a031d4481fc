select *, share(clock_skewed, delivered) as clock_skewed_share
from
    (
        select coalesce(sum(delivered), 0) as delivered, coalesce(sum(clock_skewed), 0) as clock_skewed
        from insights.delivery_routes
    )
