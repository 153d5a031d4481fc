with
    campaign_days as (select * from {{ ref("int_campaign_days_aggregated") }}),

    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    -- The inner join leaves out clicks and orders of campaigns that are not in the sends log.
    days as (

        select
            campaign_days.day,
            campaign_metrics.campaign_type,
            campaign_days.clock,
            sum(campaign_days.messages) as messages,
            sum(campaign_days.delivered) as delivered,
            sum(campaign_days.failed) as failed,
            sum(campaign_days.segments) as segments,
            sum(campaign_days.cost) as cost,
            sum(campaign_days.clicks) as clicks,
            sum(campaign_days.unsubscribes) as unsubscribes,
            sum(campaign_days.direct_orders) as direct_orders,
            sum(campaign_days.revenue) as revenue
        from campaign_days
        inner join campaign_metrics on campaign_days.campaign_id = campaign_metrics.campaign_id
        group by campaign_days.day, campaign_metrics.campaign_type, campaign_days.clock

    )

select
    cast(day as date) as day,
    cast(campaign_type as string) as campaign_type,
    cast(clock as string) as clock,
    cast(messages as bigint) as messages,
    cast(delivered as bigint) as delivered,
    cast(failed as bigint) as failed,
    cast(segments as bigint) as segments,
    cast(
        {{
            amount_or_error(
                "cost", "'daily_totals: the cost of all campaigns on ' || cast(day as string)", "decimal(18, 6)"
            ) | indent(8)
        }} as decimal(18, 6)
    ) as cost,
    cast(clicks as bigint) as clicks,
    cast(unsubscribes as bigint) as unsubscribes,
    cast(direct_orders as bigint) as direct_orders,
    cast(
        {{
            amount_or_error(
                "revenue", "'daily_totals: the revenue of all campaigns on ' || cast(day as string)", "decimal(18, 2)"
            ) | indent(8)
        }} as decimal(18, 2)
    ) as revenue
from days
