with
    credits as (select * from {{ ref("attribution_models") }}),

    -- A sum of decimals does not depend on the order of its terms.
    credits_added_up as (

        select
            campaign_id,
            model,
            count(*) as orders,
            sum(cast(weight as decimal(38, 18))) as credited_orders,
            coalesce(sum(revenue), 0) as revenue,
            max_by(order_id, coalesce(revenue, 0)) as largest_order_id
        from credits
        group by campaign_id, model

    ),

    campaigns as (

        select
            campaign_id,
            model,
            orders,
            credited_orders,
            {{ campaign_amount("revenue", "orders") | indent(12) }} as revenue
        from credits_added_up

    ),

    last_touches as (select campaign_id, revenue from campaigns where model = 'last')

select
    cast(campaigns.campaign_id as string) as campaign_id,
    cast(campaigns.model as string) as model,
    cast(campaigns.orders as bigint) as orders,
    cast(campaigns.credited_orders as double) as credited_orders,
    cast(campaigns.revenue as decimal(18, 2)) as revenue,
    cast(campaigns.revenue - coalesce(last_touches.revenue, 0) as decimal(18, 2)) as revenue_over_last
from campaigns
left join last_touches on campaigns.campaign_id = last_touches.campaign_id
