{{ config(materialized="table") }}

with
    clicks as (

        select *
        from {{ ref("int_clicks_classified") }}
        {%- if is_incremental() %} semi join {{ ref("insight_campaigns_this_run") }} using (campaign_id) {%- endif %}

    ),

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
