with
    data_until as (select * from {{ ref("int_data_until") }}),

    campaign_pressure as (select * from {{ ref("int_campaign_pressure_aggregated") }}),

    responses as (select * from {{ ref("int_campaign_responses_by_pressure") }}),

    campaigns as (select * from {{ ref("int_campaigns_deduplicated") }}),

    messages_and_responses as (

        select
            campaign_id,
            sent_date,
            messages_before,
            messages,
            delivered,
            0 as clicking,
            0 as unsubscribes,
            0 as direct_orders,
            cast(0 as decimal(38, 2)) as revenue,
            cost
        from campaign_pressure

        union all

        select
            campaign_id,
            sent_date,
            messages_before,
            0 as messages,
            0 as delivered,
            clicking,
            unsubscribes,
            direct_orders,
            revenue,
            cast(null as decimal(38, 6)) as cost
        from responses

    ),

    -- A message is mature if it was sent more than 72 hours before the end of the data. That is a border of days.
    mature_messages as (

        select
            campaigns.campaign_type,
            messages_and_responses.messages_before,
            messages_and_responses.messages,
            messages_and_responses.delivered,
            messages_and_responses.clicking,
            messages_and_responses.unsubscribes,
            messages_and_responses.direct_orders,
            messages_and_responses.revenue,
            messages_and_responses.cost
        from messages_and_responses
        cross join data_until
        left join campaigns on messages_and_responses.campaign_id = campaigns.campaign_id
        where messages_and_responses.sent_date < cast(data_until.ends_at - interval 72 hours as date)

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
