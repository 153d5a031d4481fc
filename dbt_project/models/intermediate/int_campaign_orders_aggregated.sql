{# A table: it has few rows, and an incremental build would save nothing. -#}
{{ config(materialized="table") }}

with orders as (select * from {{ ref("int_orders_attributed") }})

-- Orders without a converted revenue count as orders. A sum that does not fit fails the build.
select
    campaign_id,
    count(*) filter (where attribution = 'direct') as direct_orders,
    count(*) filter (where attribution = 'assisted') as assisted_orders,
    {{ amount("coalesce(sum(revenue) filter (where attribution = 'direct'), 0)") | indent(4) }} as revenue,
    {{ amount("coalesce(sum(revenue) filter (where attribution = 'assisted'), 0)") | indent(4) }} as assisted_revenue
from orders
group by campaign_id
