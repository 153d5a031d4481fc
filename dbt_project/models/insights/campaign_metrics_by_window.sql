with
    campaigns as (select * from {{ ref("campaign_metrics") }}),

    orders as (select * from {{ ref("int_orders_by_click_age") }}),

    conversion_windows as (

        select *
        from
            (
                values {% for hours in what_if_windows() %} ({{ hours }}){{ ", " if not loop.last }}{% endfor %}
            ) as settings(window_hours)

    ),

    orders_by_window as (

        select
            orders.campaign_id,
            conversion_windows.window_hours,
            count(*) filter (where orders.is_last_click) as direct_orders,
            count(*) filter (where not orders.is_last_click) as assisted_orders,
            coalesce(sum(orders.revenue) filter (where orders.is_last_click), 0) as revenue,
            coalesce(sum(orders.revenue) filter (where not orders.is_last_click), 0) as assisted_revenue,
            max_by(orders.order_id, coalesce(orders.revenue, 0)) as largest_order_id
        from orders
        inner join
            conversion_windows on orders.click_age_us <= cast(conversion_windows.window_hours as bigint) * 3600000000
        group by orders.campaign_id, conversion_windows.window_hours

    ),

    amounts_by_window as (

        select
            campaign_id,
            window_hours,
            direct_orders,
            assisted_orders,
            {{ campaign_amount("revenue", "direct orders") | indent(12) }} as revenue,
            {{ campaign_amount("assisted_revenue", "assisted orders") | indent(12) }} as assisted_revenue
        from orders_by_window

    ),

    counted as (

        select
            campaigns.campaign_id,
            campaigns.unique_clickers,
            campaigns.total_delivered,
            campaigns.total_sent,
            conversion_windows.window_hours,
            coalesce(amounts_by_window.direct_orders, 0) as direct_orders,
            coalesce(amounts_by_window.assisted_orders, 0) as assisted_orders,
            coalesce(amounts_by_window.revenue, 0) as revenue,
            coalesce(amounts_by_window.assisted_revenue, 0) as assisted_revenue
        from campaigns
        cross join conversion_windows
        left join
            amounts_by_window
            on campaigns.campaign_id = amounts_by_window.campaign_id
            and conversion_windows.window_hours = amounts_by_window.window_hours

    )

select
    cast(campaign_id as string) as campaign_id,
    cast(window_hours as bigint) as window_hours,
    cast(direct_orders as bigint) as direct_orders,
    cast(assisted_orders as bigint) as assisted_orders,
    cast(revenue as decimal(18, 2)) as revenue,
    cast(assisted_revenue as decimal(18, 2)) as assisted_revenue,
    cast(direct_orders as double) / nullif(unique_clickers, 0) as conversion_rate_by_clickers,
    cast(direct_orders as double) / nullif(total_delivered, 0) as conversion_rate_by_delivered,
    cast(direct_orders as double) / nullif(total_sent, 0) as conversion_rate_by_sent,
    cast(window_hours = {{ var("conversion_window_hours") }} as boolean) as is_in_force
from counted
