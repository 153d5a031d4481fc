with
    numbers as (select * from {{ ref("int_mobile_numbers_suppressed_by_setting") }}),

    campaign_suppressions as (select * from {{ ref("int_campaign_suppressions_aggregated") }}),

    direct_orders as (select * from {{ ref("int_direct_orders_enriched") }} where message_id is not null),

    settings as (

        select *
        from
            (
                values
                    {% for hard_bounces in what_if_hard_bounces() %}
                        ({{ hard_bounces }}){{ ", " if not loop.last }}
                    {% endfor %}
            ) as settings(hard_bounces)

    ),

    numbers_suppressed as (select hard_bounces, count(*) as numbers from numbers group by hard_bounces),

    messages_after as (

        select
            hard_bounces,
            sum(messages_after) as messages_after,
            sum(delivered_after) as delivered_after,
            sum(segments_after) as segments_after,
            sum(cost_after) as cost_after
        from campaign_suppressions
        group by hard_bounces

    ),

    orders_after as (

        select
            numbers.hard_bounces,
            count(*) as direct_orders_after,
            coalesce(sum(direct_orders.revenue), 0) as revenue_after
        from numbers
        inner join
            direct_orders
            on numbers.mobile_number = direct_orders.mobile_number
            and numbers.suppressed_at < direct_orders.message_sent_at
        group by numbers.hard_bounces

    )

select
    cast(settings.hard_bounces as bigint) as hard_bounces,
    cast(coalesce(numbers_suppressed.numbers, 0) as bigint) as numbers,
    cast(coalesce(messages_after.messages_after, 0) as bigint) as messages_after,
    cast(coalesce(messages_after.delivered_after, 0) as bigint) as delivered_after,
    cast(coalesce(messages_after.segments_after, 0) as bigint) as segments_after,
    {{
        amount_or_error(
            "coalesce(messages_after.cost_after, 0)",
            "'suppression_what_if: the cost of the messages after ' || settings.hard_bounces || ' hard bounces'",
            "decimal(18, 6)",
        ) | indent(4)
    }} as cost_after,
    cast(coalesce(orders_after.direct_orders_after, 0) as bigint) as direct_orders_after,
    {{
        amount_or_error(
            "coalesce(orders_after.revenue_after, 0)",
            "'suppression_what_if: the revenue of the orders after ' || settings.hard_bounces || ' hard bounces'",
            "decimal(18, 2)",
        ) | indent(4)
    }} as revenue_after,
    cast(
        {{ "true" if var("hard_bounce_suppression") else "false" }}
        and settings.hard_bounces = {{ var("hard_bounces_to_suppress") }} as boolean
    ) as is_in_force
from settings
left join numbers_suppressed on settings.hard_bounces = numbers_suppressed.hard_bounces
left join messages_after on settings.hard_bounces = messages_after.hard_bounces
left join orders_after on settings.hard_bounces = orders_after.hard_bounces
