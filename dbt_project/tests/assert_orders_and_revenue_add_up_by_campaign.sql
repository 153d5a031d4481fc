with
    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    attributed_orders as (select * from {{ ref("attributed_orders") }}),

    campaign_orders as (

        select
            campaign_id,
            count(*) filter (where attribution = 'direct') as direct_orders,
            count(*) filter (where attribution = 'assisted') as assisted_orders,
            sum(revenue) filter (where attribution = 'direct') as revenue,
            sum(revenue) filter (where attribution = 'assisted') as assisted_revenue
        from attributed_orders
        group by campaign_id

    )

select
    campaign_metrics.campaign_id,
    campaign_metrics.direct_orders,
    campaign_orders.direct_orders as direct_orders_attributed,
    campaign_metrics.assisted_orders,
    campaign_orders.assisted_orders as assisted_orders_attributed,
    campaign_metrics.revenue,
    campaign_orders.revenue as revenue_attributed,
    campaign_metrics.assisted_revenue,
    campaign_orders.assisted_revenue as assisted_revenue_attributed
from campaign_metrics
left join campaign_orders on campaign_metrics.campaign_id = campaign_orders.campaign_id
where
    campaign_metrics.direct_orders <> coalesce(campaign_orders.direct_orders, 0)
    or campaign_metrics.assisted_orders <> coalesce(campaign_orders.assisted_orders, 0)
    or campaign_metrics.revenue <> coalesce(campaign_orders.revenue, 0)
    or campaign_metrics.assisted_revenue <> coalesce(campaign_orders.assisted_revenue, 0)
