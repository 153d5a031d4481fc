with
    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    campaign_overview as (select * from {{ ref("campaign_overview") }}),

    outcomes as (select * from {{ ref("int_campaign_outcomes_aggregated") }}),

    converted_orders as (

        select * from {{ ref("int_orders_attributed") }} where attribution = 'direct' and revenue is not null

    ),

    campaign_orders as (select campaign_id, count(*) as orders from converted_orders group by campaign_id),

    campaign_costs as (

        select
            campaign_id,
            sum(messages_costed) as messages_costed,
            sum(messages_cost_unconverted) as messages_cost_unconverted,
            sum(cost) as cost,
            sum(cost) filter (where delivery_status = 'delivered') as cost_of_delivered,
            sum(cost) filter (where delivery_status in {{ failed_statuses() }}) as cost_of_failed,
            sum(cost) filter (where delivery_status = 'pending') as cost_of_pending
        from outcomes
        group by campaign_id

    ),

    -- The cost of a campaign is null if no message of it has a converted cost. Then its parts are null, too.
    counted as (

        select
            campaign_metrics.campaign_id,
            campaign_metrics.total_sent,
            campaign_metrics.total_delivered,
            campaign_metrics.total_segments,
            campaign_metrics.unique_clickers,
            campaign_metrics.direct_orders,
            campaign_metrics.revenue,
            campaign_overview.unique_sends,
            campaign_orders.orders as converted_orders,
            coalesce(campaign_costs.messages_costed, 0) as messages_costed,
            coalesce(campaign_costs.messages_cost_unconverted, 0) as messages_cost_unconverted,
            {{
                amount_or_error(
                    "campaign_costs.cost",
                    "'campaign ' || campaign_metrics.campaign_id || ': the cost of its messages'",
                    "decimal(18, 6)",
                ) | indent(12)
            }} as cost,
            case
                when campaign_costs.messages_costed > 0 then coalesce(campaign_costs.cost_of_delivered, 0)
            end as cost_of_delivered,
            case
                when campaign_costs.messages_costed > 0 then coalesce(campaign_costs.cost_of_failed, 0)
            end as cost_of_failed,
            case
                when campaign_costs.messages_costed > 0 then coalesce(campaign_costs.cost_of_pending, 0)
            end as cost_of_pending
        from campaign_metrics
        left join campaign_overview on campaign_metrics.campaign_id = campaign_overview.campaign_id
        left join campaign_costs on campaign_metrics.campaign_id = campaign_costs.campaign_id
        left join campaign_orders on campaign_metrics.campaign_id = campaign_orders.campaign_id

    )

select
    cast(campaign_id as string) as campaign_id,
    cast(messages_costed as bigint) as messages_costed,
    cast(messages_cost_unconverted as bigint) as messages_cost_unconverted,
    cast(total_sent - messages_costed - messages_cost_unconverted as bigint) as messages_without_cost,
    cast(messages_costed as double) / nullif(total_sent, 0) as cost_coverage,
    cast(cost as decimal(18, 6)) as cost,
    cast(cost_of_delivered as decimal(18, 6)) as cost_of_delivered,
    cast(cost_of_failed as decimal(18, 6)) as cost_of_failed,
    cast(cost_of_pending as decimal(18, 6)) as cost_of_pending,
    cast(cost as double) / nullif(messages_costed, 0) as cost_per_message,
    cast(cost as double) / nullif(total_delivered, 0) as cost_per_delivered,
    cast(cost as double) / nullif(unique_clickers, 0) as cost_per_unique_clicker,
    cast(cost as double) / nullif(direct_orders, 0) as cost_per_direct_order,
    cast(revenue as decimal(18, 2)) as revenue,
    cast(revenue - round(cost, 2) as decimal(18, 2)) as profit,
    cast(revenue - cost as double) / nullif(cast(cost as double), 0) as roi,
    cast(revenue as double) / nullif(total_sent, 0) as revenue_per_message,
    cast(revenue as double) / nullif(total_delivered, 0) as revenue_per_delivered,
    cast(revenue as double) / nullif(unique_sends, 0) as revenue_per_recipient,
    cast(revenue as double) / nullif(converted_orders, 0) as average_order_value,
    cast(total_segments as double) / nullif(total_sent, 0) as segments_per_message
from counted
