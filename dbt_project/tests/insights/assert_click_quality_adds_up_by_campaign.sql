with
    click_quality as (select * from {{ ref("click_quality") }}),

    campaign_click_quality as (select * from {{ ref("campaign_click_quality") }}),

    campaign_clicks as (

        select
            campaign_id,
            count(*) as clicks,
            count(*) filter (where is_bot) as bot_clicks,
            count(*) filter (where rule = 'user_agent') as bot_clicks_user_agent,
            count(*) filter (where rule = 'too_fast') as bot_clicks_too_fast,
            count(*) filter (where rule = 'sweep') as bot_clicks_sweep,
            count(*) filter (where rule is null) as human_clicks,
            count(distinct contact_id) as unique_clickers,
            count(distinct contact_id) filter (where rule is null) as human_unique_clickers
        from click_quality
        group by campaign_id

    )

select coalesce(campaign_click_quality.campaign_id, campaign_clicks.campaign_id) as campaign_id
from campaign_click_quality
full join campaign_clicks on campaign_click_quality.campaign_id = campaign_clicks.campaign_id
where
    campaign_click_quality.campaign_id is null or campaign_clicks.campaign_id is null
    {%- for column in [
        "clicks",
        "bot_clicks",
        "bot_clicks_user_agent",
        "bot_clicks_too_fast",
        "bot_clicks_sweep",
        "human_clicks",
        "unique_clickers",
        "human_unique_clickers",
    ] %} or campaign_click_quality.{{ column }} <> campaign_clicks.{{ column }} {%- endfor %}
