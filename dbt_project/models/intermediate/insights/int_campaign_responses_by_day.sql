{{ config(meta={"changed_keys": {"insight_campaigns_this_run": ["campaign_id"]}}) }}
{%- set time_zone = var("report_timezone") %}

-- depends_on: {{ ref('insight_campaigns_this_run') }}
with
    clicks as ({{ rows_of_insight_campaigns("int_clicks_classified") | indent(4) }}),

    orders as ({{ rows_of_insight_campaigns("int_direct_orders_enriched") | indent(4) }}),

    unsubscribes as ({{ rows_of_insight_campaigns("int_unsubscribes_attributed") | indent(4) }}),

    click_days as (

        select
            campaign_id,
            {{ date_in_time_zone("message_sent_at", time_zone) }} as sent_on,
            {{ date_in_time_zone("clicked_at", time_zone) }} as clicked_on,
            count(*) as clicks
        from clicks
        where {{ is_click_counted() }}
        group by 1, 2, 3

    ),

    order_days as (

        select
            campaign_id,
            {{ date_in_time_zone("message_sent_at", time_zone) }} as sent_on,
            {{ date_in_time_zone("ordered_at", time_zone) }} as ordered_on,
            count(*) as orders,
            sum(revenue) as revenue
        from orders
        group by 1, 2, 3

    ),

    unsubscribe_days as (

        select
            campaign_id,
            {{ date_in_time_zone("sent_at", time_zone) }} as sent_on,
            {{ date_in_time_zone("unsubscribed_at", time_zone) }} as unsubscribed_on,
            count(*) as unsubscribes
        from unsubscribes
        where campaign_id is not null
        group by 1, 2, 3

    ),

    figures as (

        {% for clock in ["sent", "event"] -%}
            {{ "union all" if not loop.first }}

            select
                campaign_id,
                '{{ clock }}' as clock,
                {{ "sent_on" if clock == "sent" else "clicked_on" }} as day,
                clicks,
                0 as unsubscribes,
                0 as direct_orders,
                cast(0 as decimal(38, 2)) as revenue
            from click_days

            union all

            select
                campaign_id,
                '{{ clock }}' as clock,
                {{ "sent_on" if clock == "sent" else "unsubscribed_on" }} as day,
                0 as clicks,
                unsubscribes,
                0 as direct_orders,
                cast(0 as decimal(38, 2)) as revenue
            from unsubscribe_days

            union all

            select
                campaign_id,
                '{{ clock }}' as clock,
                {{ "sent_on" if clock == "sent" else "ordered_on" }} as day,
                0 as clicks,
                0 as unsubscribes,
                orders as direct_orders,
                coalesce(revenue, 0) as revenue
            from order_days
        {% endfor %}

    )

-- A click or an order without a message is on no day of the clock `sent`.
select
    campaign_id,
    cast(clock as string) as clock,
    day,
    cast(sum(clicks) as bigint) as clicks,
    cast(sum(unsubscribes) as bigint) as unsubscribes,
    cast(sum(direct_orders) as bigint) as direct_orders,
    cast(sum(revenue) as decimal(38, 2)) as revenue
from figures
where day is not null
group by campaign_id, clock, day
