{{ config(meta={"changed_keys": {"insight_campaigns_this_run": ["campaign_id"]}}) }}
{%- set time_zone = var("report_timezone") %}

-- depends_on: {{ ref('insight_campaigns_this_run') }}, {{ ref('insight_periods_this_run') }}
with
    messages as ({{ rows_of_insight_campaigns("int_messages_enriched", "sent_at") | indent(4) }}),

    clicks as ({{ rows_of_insight_campaigns("int_clicks_classified") | indent(4) }}),

    orders as ({{ rows_of_insight_campaigns("int_direct_orders_enriched") | indent(4) }}),

    unsubscribes as ({{ rows_of_insight_campaigns("int_unsubscribes_attributed") | indent(4) }}),

    -- A conversion to another time zone is expensive. Time zones differ by whole quarters of an hour: one conversion
    -- serves all messages of a quarter. `status_at` is null for a message without a final status.
    message_quarters as (

        select
            campaign_id,
            delivery_status = 'delivered' as is_delivered,
            {{ start_of_quarter_hour("sent_at") }} as sent_at,
            case when delivery_status <> 'pending' then {{ start_of_quarter_hour("status_at") }} end as status_at,
            count(*) as messages,
            sum(segments) as segments,
            sum(cost) as cost
        from messages
        group by 1, 2, 3, 4

    ),

    message_days as (

        select
            campaign_id,
            is_delivered,
            {{ date_in_time_zone("sent_at", time_zone) }} as sent_on,
            {{ date_in_time_zone("status_at", time_zone) }} as status_on,
            sum(messages) as messages,
            sum(segments) as segments,
            sum(cost) as cost
        from message_quarters
        group by 1, 2, 3, 4

    ),

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
                sent_on as day,
                messages,
                0 as delivered,
                0 as failed,
                segments,
                cost,
                0 as clicks,
                0 as unsubscribes,
                0 as direct_orders,
                cast(0 as decimal(38, 2)) as revenue
            from message_days

            union all

            select
                campaign_id,
                '{{ clock }}' as clock,
                {{ "sent_on" if clock == "sent" else "status_on" }} as day,
                0 as messages,
                case when is_delivered then messages else 0 end as delivered,
                case when is_delivered then 0 else messages end as failed,
                0 as segments,
                cast(0 as decimal(38, 6)) as cost,
                0 as clicks,
                0 as unsubscribes,
                0 as direct_orders,
                cast(0 as decimal(38, 2)) as revenue
            from message_days
            where status_on is not null

            union all

            select
                campaign_id,
                '{{ clock }}' as clock,
                {{ "sent_on" if clock == "sent" else "clicked_on" }} as day,
                0 as messages,
                0 as delivered,
                0 as failed,
                0 as segments,
                cast(0 as decimal(38, 6)) as cost,
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
                0 as messages,
                0 as delivered,
                0 as failed,
                0 as segments,
                cast(0 as decimal(38, 6)) as cost,
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
                0 as messages,
                0 as delivered,
                0 as failed,
                0 as segments,
                cast(0 as decimal(38, 6)) as cost,
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
    cast(sum(messages) as bigint) as messages,
    cast(sum(delivered) as bigint) as delivered,
    cast(sum(failed) as bigint) as failed,
    cast(sum(segments) as bigint) as segments,
    cast(coalesce(sum(cost), 0) as decimal(38, 6)) as cost,
    cast(sum(clicks) as bigint) as clicks,
    cast(sum(unsubscribes) as bigint) as unsubscribes,
    cast(sum(direct_orders) as bigint) as direct_orders,
    cast(sum(revenue) as decimal(38, 2)) as revenue
from figures
where day is not null
group by campaign_id, clock, day
