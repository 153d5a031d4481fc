with orders as (select * from {{ ref("int_orders_attributed") }})

select
    cast(order_id as string) as order_id,
    cast(campaign_id as string) as campaign_id,
    cast(attribution as string) as attribution,
    cast(contact_id as string) as contact_id,
    cast(ordered_at as timestamp) as ordered_at,
    cast(clicked_at as timestamp) as clicked_at,
    cast(click_id as string) as click_id,
    cast(revenue as decimal(18, 2)) as revenue,
    cast(currency as string) as currency,
    cast(total as decimal(18, 4)) as total,
    cast(refunded_amount as decimal(18, 4)) as refunded_amount
from orders
