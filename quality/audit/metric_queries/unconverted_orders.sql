select orders, currencies, share(without_revenue, direct_orders) as of_attributed_orders_share
from (select count(*) as orders, count(distinct currency) as currencies from unconverted_orders)
cross join
    (
        select count(*) as direct_orders, count_if(revenue is null) as without_revenue
        from attributed_orders
        where attribution = 'direct'
    )
