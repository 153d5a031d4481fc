{# A table: it has few rows, and an incremental build would save nothing. -#}
{{ config(materialized="table") }}

with
    orders as (select * from {{ ref("int_orders_attributed") }}),

    -- Orders without a converted revenue count as orders.
    campaigns as (

        select
            campaign_id,
            count(*) filter (where attribution = 'direct') as direct_orders,
            count(*) filter (where attribution = 'assisted') as assisted_orders,
            coalesce(sum(revenue) filter (where attribution = 'direct'), 0) as revenue,
            coalesce(sum(revenue) filter (where attribution = 'assisted'), 0) as assisted_revenue,
            max_by(order_id, coalesce(revenue, 0)) as largest_order_id
        from orders
        group by campaign_id

    )

select
    campaign_id,
    direct_orders,
    assisted_orders,
    {{ campaign_amount("revenue", "direct orders") | indent(4) }} as revenue,
    {{ campaign_amount("assisted_revenue", "assisted orders") | indent(4) }} as assisted_revenue
from campaigns
