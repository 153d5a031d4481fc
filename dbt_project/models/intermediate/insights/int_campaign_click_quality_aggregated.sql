{{ config(meta={"changed_keys": {"insight_campaigns_this_run": ["campaign_id"]}}) }}

-- depends_on: {{ ref('insight_campaigns_this_run') }}
with
    clicks as ({{ rows_of_insight_campaigns("int_clicks_classified") | indent(4) }}),

    campaign_clickers as (

        select
            campaign_id,
            contact_id,
            count(*) as clicks,
            count(*) filter (where rule = 'user_agent') as bot_clicks_user_agent,
            count(*) filter (where rule = 'too_fast') as bot_clicks_too_fast,
            count(*) filter (where rule = 'sweep') as bot_clicks_sweep,
            count(*) filter (where not is_bot) as human_clicks
        from clicks
        group by campaign_id, contact_id

    )

select
    campaign_id,
    cast(sum(clicks) as bigint) as clicks,
    cast(sum(bot_clicks_user_agent) as bigint) as bot_clicks_user_agent,
    cast(sum(bot_clicks_too_fast) as bigint) as bot_clicks_too_fast,
    cast(sum(bot_clicks_sweep) as bigint) as bot_clicks_sweep,
    cast(sum(human_clicks) as bigint) as human_clicks,
    count(*) as unique_clickers,
    count(*) filter (where human_clicks > 0) as human_unique_clickers
from campaign_clickers
group by campaign_id
