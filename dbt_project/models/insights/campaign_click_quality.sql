with
    campaign_clicks as (select * from {{ ref("int_campaign_click_quality_aggregated") }}),

    campaign_sends as (select * from {{ ref("int_campaign_sends_aggregated") }}),

    campaign_orders as (select * from {{ ref("int_campaign_orders_from_bots") }})

select
    cast(campaign_clicks.campaign_id as string) as campaign_id,
    cast(campaign_clicks.clicks as bigint) as clicks,
    cast(campaign_clicks.clicks - campaign_clicks.human_clicks as bigint) as bot_clicks,
    cast(campaign_clicks.bot_clicks_user_agent as bigint) as bot_clicks_user_agent,
    cast(campaign_clicks.bot_clicks_too_fast as bigint) as bot_clicks_too_fast,
    cast(campaign_clicks.bot_clicks_sweep as bigint) as bot_clicks_sweep,
    cast(campaign_clicks.human_clicks as bigint) as human_clicks,
    cast(campaign_clicks.unique_clickers as bigint) as unique_clickers,
    cast(campaign_clicks.human_unique_clickers as bigint) as human_unique_clickers,
    cast(campaign_clicks.human_unique_clickers as double)
    / nullif(campaign_sends.total_delivered, 0) as human_click_to_delivered_rate,
    cast(coalesce(campaign_orders.direct_orders, 0) as bigint) as direct_orders_from_bots
from campaign_clicks
left join campaign_sends on campaign_clicks.campaign_id = campaign_sends.campaign_id
left join campaign_orders on campaign_clicks.campaign_id = campaign_orders.campaign_id
