with attributed_orders as (

    select * from {{ ref('attributed_orders') }}

)

select
    order_id,
    count(*) filter (where attribution = 'direct') as direct_campaigns,
    max(clicked_at) filter (where attribution = 'direct') as direct_clicked_at,
    max(clicked_at) filter (where attribution = 'assisted') as assisted_clicked_at
from attributed_orders
group by order_id
having
    count(*) filter (where attribution = 'direct') <> 1
    or max(clicked_at) filter (where attribution = 'assisted') > max(clicked_at) filter (where attribution = 'direct')
