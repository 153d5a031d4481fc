with orders as (

    select * from {{ ref('int_orders_attributed') }}

)

select
    cast(order_id as varchar) as order_id,
    cast(campaign_id as varchar) as campaign_id,
    cast(attribution as varchar) as attribution,
    cast(contact_id as varchar) as contact_id,
    cast(ordered_at as timestamp) as ordered_at,
    cast(clicked_at as timestamp) as clicked_at,
    cast(click_id as varchar) as click_id,
    cast(revenue as decimal(18, 2)) as revenue,
    cast(currency as varchar) as currency,
    cast(total as decimal(18, 2)) as total,
    cast(refunded_amount as decimal(18, 2)) as refunded_amount
from orders
