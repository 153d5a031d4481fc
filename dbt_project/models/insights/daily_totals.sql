with
    campaign_days as (select * from {{ ref("int_campaign_days_aggregated") }}),

    responses as (select * from {{ ref("int_campaign_responses_by_day") }}),

    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    messages_and_responses as (

        select
            campaign_id,
            clock,
            day,
            messages,
            delivered,
            failed,
            segments,
            cost,
            0 as clicks,
            0 as unsubscribes,
            0 as direct_orders,
            cast(0 as decimal(38, 2)) as revenue
        from campaign_days

        union all

        select
            campaign_id,
            clock,
            day,
            0 as messages,
            0 as delivered,
            0 as failed,
            0 as segments,
            cast(0 as decimal(38, 6)) as cost,
            clicks,
            unsubscribes,
            direct_orders,
            revenue
        from responses

    ),

    -- The inner join leaves out clicks and orders of campaigns that are not in the sends log.
    days as (

        select
            messages_and_responses.day,
            campaign_metrics.campaign_type,
            messages_and_responses.clock,
            sum(messages_and_responses.messages) as messages,
            sum(messages_and_responses.delivered) as delivered,
            sum(messages_and_responses.failed) as failed,
            sum(messages_and_responses.segments) as segments,
            sum(messages_and_responses.cost) as cost,
            sum(messages_and_responses.clicks) as clicks,
            sum(messages_and_responses.unsubscribes) as unsubscribes,
            sum(messages_and_responses.direct_orders) as direct_orders,
            sum(messages_and_responses.revenue) as revenue
        from messages_and_responses
        inner join campaign_metrics on messages_and_responses.campaign_id = campaign_metrics.campaign_id
        group by messages_and_responses.day, campaign_metrics.campaign_type, messages_and_responses.clock

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
