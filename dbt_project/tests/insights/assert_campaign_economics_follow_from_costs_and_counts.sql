with
    campaign_economics as (select * from {{ ref("campaign_economics") }}),

    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    campaign_overview as (select * from {{ ref("campaign_overview") }}),

    converted_orders as (

        select campaign_id, count(*) as orders
        from {{ ref("attributed_orders") }}
        where attribution = 'direct' and revenue is not null
        group by campaign_id

    ),

    -- The full join keeps a campaign that only one of the two has.
    expected as (

        select
            coalesce(campaign_economics.campaign_id, campaign_metrics.campaign_id) as expected_campaign_id,
            campaign_economics.*,
            campaign_metrics.total_sent,
            campaign_metrics.revenue as metrics_revenue,
            cast(campaign_economics.messages_costed as double)
            / nullif(campaign_metrics.total_sent, 0) as expected_cost_coverage,
            cast(campaign_economics.cost as double)
            / nullif(campaign_economics.messages_costed, 0) as expected_cost_per_message,
            cast(campaign_economics.cost as double)
            / nullif(campaign_metrics.total_delivered, 0) as expected_cost_per_delivered,
            cast(campaign_economics.cost as double)
            / nullif(campaign_metrics.unique_clickers, 0) as expected_cost_per_unique_clicker,
            cast(campaign_economics.cost as double)
            / nullif(campaign_metrics.direct_orders, 0) as expected_cost_per_direct_order,
            cast(campaign_metrics.revenue as double)
            / nullif(campaign_metrics.total_sent, 0) as expected_revenue_per_message,
            cast(campaign_metrics.revenue as double)
            / nullif(campaign_metrics.total_delivered, 0) as expected_revenue_per_delivered,
            cast(campaign_metrics.revenue as double)
            / nullif(campaign_overview.unique_sends, 0) as expected_revenue_per_recipient,
            cast(campaign_metrics.revenue as double) / converted_orders.orders as expected_average_order_value,
            cast(campaign_metrics.total_segments as double)
            / nullif(campaign_metrics.total_sent, 0) as expected_segments_per_message
        from campaign_economics
        full join campaign_metrics on campaign_economics.campaign_id = campaign_metrics.campaign_id
        left join campaign_overview on campaign_metrics.campaign_id = campaign_overview.campaign_id
        left join converted_orders on campaign_metrics.campaign_id = converted_orders.campaign_id

    ),

    compared as (

        select
            expected_campaign_id as campaign_id,
            concat_ws(
                '; ',
                case when campaign_id is null then 'campaign_metrics has the campaign, campaign_economics has not' end,
                case when total_sent is null then 'campaign_economics has the campaign, campaign_metrics has not' end,
                case
                    when messages_costed + messages_cost_unconverted + messages_without_cost <> total_sent
                    then 'the messages with and without a cost do not add up to total_sent'
                end,
                case
                    when (messages_costed = 0) <> (cost is null)
                    then 'cost is null although a message has a cost, or the reverse'
                end,
                case
                    when cost is distinct from cost_of_delivered + cost_of_failed + cost_of_pending
                    then 'the costs by status do not add up to cost'
                end,
                case when revenue <> metrics_revenue then 'revenue is not that of campaign_metrics' end,
                case when profit is distinct from revenue - round(cost, 2) then 'profit is not revenue - cost' end,
                case
                    when
                        (roi is null) <> (coalesce(cost, 0) = 0)
                        or abs(roi - cast(revenue - cost as double) / cast(cost as double)) > 1e-9 * (1 + abs(roi))
                    then 'roi is not (revenue - cost) / cost'
                end
                {%- for rate in [
                    "cost_coverage",
                    "cost_per_message",
                    "cost_per_delivered",
                    "cost_per_unique_clicker",
                    "cost_per_direct_order",
                    "revenue_per_message",
                    "revenue_per_delivered",
                    "revenue_per_recipient",
                    "average_order_value",
                    "segments_per_message",
                ] %}
                    ,
                    case
                        when
                            ({{ rate }} is null) <> (expected_{{ rate }} is null)
                            or abs({{ rate }} - expected_{{ rate }}) > 1e-9 * (1 + abs({{ rate }}))
                        then '{{ rate }} is not the quotient of its parts'
                    end
                {%- endfor %}
            ) as problem
        from expected

    )

select *
from compared
where problem <> ''
