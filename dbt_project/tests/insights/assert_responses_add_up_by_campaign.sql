with
    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    campaign_click_quality as (select * from {{ ref("campaign_click_quality") }}),

    attributed_unsubscribes as (select * from {{ ref("attributed_unsubscribes") }}),

    campaign_response as (select * from {{ ref("campaign_response") }}),

    campaign_unsubscribes as (

        select campaign_id, count(*) as unsubscribes
        from attributed_unsubscribes
        where campaign_id is not null
        group by campaign_id

    ),

    responses_added_up as (

        select
            campaign_id,
            count(*) as buckets,
            sum(clicks) as clicks,
            sum(human_clicks) as human_clicks,
            sum(first_clicks) as first_clicks,
            sum(unsubscribes) as unsubscribes,
            sum(direct_orders) as direct_orders,
            sum(revenue) as revenue,
            max(cumulative_click_share) filter (where from_minutes is null) as last_share
        from campaign_response
        group by campaign_id

    )

select campaign_metrics.campaign_id
from campaign_metrics
left join responses_added_up on campaign_metrics.campaign_id = responses_added_up.campaign_id
left join campaign_unsubscribes on campaign_metrics.campaign_id = campaign_unsubscribes.campaign_id
left join campaign_click_quality on campaign_metrics.campaign_id = campaign_click_quality.campaign_id
where
    responses_added_up.buckets <> {{ response_buckets() | length + 1 }}
    or campaign_metrics.total_clicks <> coalesce(responses_added_up.clicks, 0)
    or coalesce(campaign_click_quality.human_clicks, 0) <> coalesce(responses_added_up.human_clicks, 0)
    or campaign_metrics.unique_clickers <> coalesce(responses_added_up.first_clicks, 0)
    or coalesce(campaign_unsubscribes.unsubscribes, 0) <> coalesce(responses_added_up.unsubscribes, 0)
    or campaign_metrics.direct_orders <> coalesce(responses_added_up.direct_orders, 0)
    or campaign_metrics.revenue <> coalesce(responses_added_up.revenue, 0)
    or (responses_added_up.last_share is distinct from 1 and responses_added_up.clicks > 0)
    or (responses_added_up.last_share is not null and responses_added_up.clicks = 0)
