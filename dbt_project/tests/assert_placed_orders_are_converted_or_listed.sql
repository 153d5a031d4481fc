with
    placed_orders as (select * from {{ ref("int_orders_deduplicated") }} where status = 'placed'),

    converted_orders as (select * from {{ ref("int_orders_converted") }} where revenue is not null),

    unconverted_orders as (select * from {{ ref("unconverted_orders") }}),

    attributed_without_revenue as (

        select order_id from {{ ref("attributed_orders") }} where revenue is null group by order_id

    )

select
    placed_orders.order_id,
    converted_orders.revenue,
    unconverted_orders.currency as unconverted_currency,
    attributed_without_revenue.order_id is not null as is_attributed_without_revenue
from placed_orders
left join converted_orders on placed_orders.order_id = converted_orders.order_id
left join unconverted_orders on placed_orders.order_id = unconverted_orders.order_id
left join attributed_without_revenue on placed_orders.order_id = attributed_without_revenue.order_id
where
    (converted_orders.order_id is null) = (unconverted_orders.order_id is null)
    or (attributed_without_revenue.order_id is not null and unconverted_orders.order_id is null)
    or converted_orders.revenue < 0
