with orders as (select * from {{ ref("int_orders_converted") }} where revenue is null)

select
    cast(order_id as string) as order_id,
    cast(contact_id as string) as contact_id,
    cast(ordered_at as timestamp) as ordered_at,
    cast(currency as string) as currency,
    cast(total as decimal(18, 4)) as total,
    cast(refunded_amount as decimal(18, 4)) as refunded_amount,
    cast(case when exchange_rate is null then 'no_exchange_rate' else 'revenue_too_large' end as string) as reason
from orders
