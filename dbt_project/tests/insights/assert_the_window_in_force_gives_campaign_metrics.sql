with
    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    by_window as (select * from {{ ref("campaign_metrics_by_window") }}),

    in_force as (select * from by_window where is_in_force),

    compared_with_the_next_window as (

        select
            campaign_id,
            direct_orders + assisted_orders as orders,
            direct_orders,
            lead(direct_orders + assisted_orders) over (partition by campaign_id order by window_hours) as next_orders,
            lead(direct_orders) over (partition by campaign_id order by window_hours) as next_direct_orders
        from by_window

    )

select campaign_metrics.campaign_id
from campaign_metrics
left join in_force on campaign_metrics.campaign_id = in_force.campaign_id
where
    campaign_metrics.direct_orders is distinct from in_force.direct_orders
    or campaign_metrics.assisted_orders is distinct from in_force.assisted_orders
    or campaign_metrics.revenue is distinct from in_force.revenue
    or campaign_metrics.assisted_revenue is distinct from in_force.assisted_revenue
    or campaign_metrics.conversion_rate is distinct from in_force.conversion_rate_by_
    {{-
        {"unique_clickers": "clickers", "total_delivered": "delivered", "total_sent": "sent"}[
            var("conversion_rate_denominator")
        ]
    }}

union all

-- A wider window loses no order.
select campaign_id
from compared_with_the_next_window
where orders > next_orders or direct_orders > next_direct_orders
