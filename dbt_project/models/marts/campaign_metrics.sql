{%- set denominator = var("conversion_rate_denominator") -%}
{%- if denominator not in ["unique_clickers", "total_delivered", "total_sent"] -%}
    {{ exceptions.raise_compiler_error("conversion_rate_denominator cannot be '" ~ denominator ~ "'") }}
{%- endif -%}

with
    campaign_sends as (select * from {{ ref("int_campaign_sends_aggregated") }}),

    campaigns as (select * from {{ ref("int_campaigns_deduplicated") }}),

    campaign_clicks as (select * from {{ ref("int_campaign_clicks_aggregated") }}),

    campaign_orders as (select * from {{ ref("int_campaign_orders_aggregated") }}),

    campaign_unsubscribes as (select * from {{ ref("int_campaign_unsubscribes_aggregated") }}),

    counted as (

        select
            campaign_sends.campaign_id,
            campaign_sends.last_sent_at,
            campaigns.campaign_name,
            campaigns.campaign_type,
            campaigns.modified_by,
            campaign_sends.total_segments,
            campaign_sends.total_delivered,
            campaign_sends.total_sent,
            coalesce(campaign_clicks.total_clicks, 0) as total_clicks,
            coalesce(campaign_clicks.unique_clickers, 0) as unique_clickers,
            coalesce(campaign_orders.direct_orders, 0) as direct_orders,
            coalesce(campaign_orders.assisted_orders, 0) as assisted_orders,
            coalesce(campaign_orders.revenue, 0) as revenue,
            coalesce(campaign_orders.assisted_revenue, 0) as assisted_revenue,
            coalesce(campaign_unsubscribes.unsubscribes, 0) as unsubscribes
        from campaign_sends
        left join campaigns on campaign_sends.campaign_id = campaigns.campaign_id
        left join campaign_clicks on campaign_sends.campaign_id = campaign_clicks.campaign_id
        left join campaign_orders on campaign_sends.campaign_id = campaign_orders.campaign_id
        left join campaign_unsubscribes on campaign_sends.campaign_id = campaign_unsubscribes.campaign_id

    )

select
    cast(campaign_id as string) as campaign_id,
    cast(last_sent_at as timestamp) as last_sent_at,
    cast(campaign_name as string) as campaign_name,
    cast(unique_clickers as double) / nullif(total_delivered, 0) as click_to_delivered_rate,
    cast(direct_orders as double) / nullif({{ denominator }}, 0) as conversion_rate,
    cast(direct_orders as bigint) as direct_orders,
    cast(assisted_orders as bigint) as assisted_orders,
    cast(modified_by as string) as last_modified_by,
    cast(revenue as decimal(18, 2)) as revenue,
    cast(assisted_revenue as decimal(18, 2)) as assisted_revenue,
    cast(total_segments as bigint) as total_segments,
    cast(total_clicks as bigint) as total_clicks,
    cast(total_delivered as bigint) as total_delivered,
    cast(total_sent as bigint) as total_sent,
    cast(campaign_type as string) as campaign_type,
    cast(unique_clickers as bigint) as unique_clickers,
    cast(unsubscribes as bigint) as unsubscribes
from counted
