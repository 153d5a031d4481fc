{%- set prefix = "human_" if var("bot_clicks") == "exclude" else "" -%}
with
    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    campaign_click_quality as (select * from {{ ref("campaign_click_quality") }})

select
    campaign_metrics.campaign_id,
    campaign_metrics.total_clicks,
    campaign_click_quality.{{ prefix }}clicks as clicks_that_count,
    campaign_metrics.unique_clickers,
    campaign_click_quality.{{ prefix }}unique_clickers as clickers_that_count
from campaign_metrics
left join campaign_click_quality on campaign_metrics.campaign_id = campaign_click_quality.campaign_id
where
    campaign_metrics.total_clicks <> coalesce(campaign_click_quality.{{ prefix }}clicks, 0)
    or campaign_metrics.unique_clickers <> coalesce(campaign_click_quality.{{ prefix }}unique_clickers, 0)
    or campaign_click_quality.human_click_to_delivered_rate is distinct from (
        cast(campaign_click_quality.human_unique_clickers as double) / nullif(campaign_metrics.total_delivered, 0)
    )
