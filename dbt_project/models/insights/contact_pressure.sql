with
    data_until as (select * from {{ ref("int_data_until") }}),

    campaign_pressure as (select * from {{ ref("int_campaign_pressure_aggregated") }}),

    campaigns as (select * from {{ ref("int_campaigns_deduplicated") }}),

    -- A message is mature if it was sent more than 72 hours before the end of the data. That is a border of days.
    mature_messages as (

        select
            campaigns.campaign_type,
            campaign_pressure.messages_before,
            campaign_pressure.messages,
            campaign_pressure.delivered,
            campaign_pressure.clicking,
            campaign_pressure.unsubscribes,
            campaign_pressure.direct_orders,
            campaign_pressure.revenue,
            campaign_pressure.cost
        from campaign_pressure
        cross join data_until
        left join campaigns on campaign_pressure.campaign_id = campaigns.campaign_id
        where campaign_pressure.sent_date < cast(data_until.ends_at - interval 72 hours as date)

    ),

    -- A row for each number of messages before.
    messages_and_rows as (

        select *
        from mature_messages

        union all

        select types.campaign_type, numbers.messages_before, 0, 0, 0, 0, 0, 0, null
        from (select distinct campaign_type from mature_messages) as types
        cross join (values (0), (1), (2), (3), (4), (5), (6), (7)) as numbers(messages_before)

    ),

    counted as (

        select
            campaign_type,
            messages_before,
            cast(sum(messages) as bigint) as messages,
            cast(sum(delivered) as bigint) as delivered,
            cast(sum(clicking) as bigint) as clicking,
            cast(sum(unsubscribes) as bigint) as unsubscribes,
            cast(least(sum(unsubscribes), sum(delivered)) as bigint) as unsubscribes_of_delivered,
            cast(sum(direct_orders) as bigint) as direct_orders,
            sum(revenue) as revenue,
            sum(cost) as cost
        from messages_and_rows
        group by campaign_type, messages_before

    )

select
    cast(campaign_type as string) as campaign_type,
    cast(messages_before as bigint) as messages_before,
    cast(messages as bigint) as messages,
    cast(delivered as bigint) as delivered,
    cast(clicking as bigint) as clicking,
    cast(unsubscribes as bigint) as unsubscribes,
    cast(direct_orders as bigint) as direct_orders,
    {{
        amount_or_error(
            "revenue",
            "'contact_pressure: the revenue of the direct orders of mature messages'",
            "decimal(18, 2)",
        ) | indent(4)
    }} as revenue,
    {{ amount_or_error("cost", "'contact_pressure: the cost of mature messages'", "decimal(18, 6)") | indent(4) }}
    as cost,
    cast(clicking as double) / nullif(delivered, 0) as click_rate,
    cast(unsubscribes as double) / nullif(delivered, 0) as unsubscribe_rate,
    cast(revenue as double) / nullif(delivered, 0) as revenue_per_delivered,
    cast({{ wilson_bound("low", "unsubscribes_of_delivered", "delivered") }} as double) as unsubscribe_low,
    cast({{ wilson_bound("high", "unsubscribes_of_delivered", "delivered") }} as double) as unsubscribe_high
from counted
