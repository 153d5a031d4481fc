-- The last week of the data, each event on its own day. A figure that comes to nothing stands out here first.
select
    coalesce(sum(messages), 0) as messages_lately,
    coalesce(sum(delivered), 0) as delivered_lately,
    coalesce(sum(clicks), 0) as clicks_lately,
    coalesce(sum(unsubscribes), 0) as unsubscribes_lately,
    coalesce(sum(direct_orders), 0) as direct_orders_lately,
    coalesce(sum(revenue), 0) as revenue_lately
from insights.daily_totals
cross join audited_build
where clock = 'event' and day > data_until - 7 and day <= data_until
