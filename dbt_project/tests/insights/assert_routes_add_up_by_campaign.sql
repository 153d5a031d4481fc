with
    delivery_routes as (select * from {{ ref("delivery_routes") }}),

    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    campaign_economics as (select * from {{ ref("campaign_economics") }}),

    campaign_routes as (

        select
            campaign_id,
            sum(messages) as messages,
            sum(delivered) as delivered,
            sum(segments) as segments,
            sum(cost) as cost
        from delivery_routes
        group by campaign_id

    )

-- The full join keeps a campaign that only delivery_routes has.
select
    coalesce(campaign_metrics.campaign_id, campaign_routes.campaign_id) as campaign_id,
    campaign_metrics.total_sent,
    campaign_routes.messages,
    campaign_metrics.total_delivered,
    campaign_routes.delivered,
    campaign_metrics.total_segments,
    campaign_routes.segments,
    campaign_economics.cost,
    campaign_routes.cost as cost_of_routes
from campaign_metrics
full join campaign_routes on campaign_metrics.campaign_id = campaign_routes.campaign_id
left join campaign_economics on campaign_metrics.campaign_id = campaign_economics.campaign_id
where
    campaign_metrics.campaign_id is null
    or campaign_metrics.total_sent <> coalesce(campaign_routes.messages, 0)
    or campaign_metrics.total_delivered <> coalesce(campaign_routes.delivered, 0)
    or campaign_metrics.total_segments <> coalesce(campaign_routes.segments, 0)
    or campaign_economics.cost is distinct from campaign_routes.cost
