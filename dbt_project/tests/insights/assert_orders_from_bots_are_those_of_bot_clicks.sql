{#- If bot clicks are excluded, no order is credited to one, and the orders of all clicks stand in no other mart. #}
with
    attributed_orders as (select * from {{ ref("attributed_orders") }}),

    click_quality as (select * from {{ ref("click_quality") }} where is_bot),

    campaign_click_quality as (select * from {{ ref("campaign_click_quality") }}),

    orders_of_bot_clicks as (

        select attributed_orders.campaign_id, count(*) as direct_orders
        from attributed_orders
        inner join click_quality on attributed_orders.click_id = click_quality.click_id
        where attributed_orders.attribution = 'direct'
        group by attributed_orders.campaign_id

    )

select
    campaign_click_quality.campaign_id,
    campaign_click_quality.direct_orders_from_bots,
    orders_of_bot_clicks.direct_orders
from campaign_click_quality
left join orders_of_bot_clicks on campaign_click_quality.campaign_id = orders_of_bot_clicks.campaign_id
where
    {% if var("bot_clicks") == "exclude" -%} orders_of_bot_clicks.direct_orders > 0
    {%- else -%} campaign_click_quality.direct_orders_from_bots <> coalesce(orders_of_bot_clicks.direct_orders, 0)
    {%- endif %}
