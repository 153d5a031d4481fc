{{ config(meta={"changed_keys": {"insight_campaigns_this_run": ["campaign_id"]}}) }}

-- depends_on: {{ ref('insight_campaigns_this_run') }}, {{ ref('insight_periods_this_run') }}
with
    messages as ({{ rows_of_insight_campaigns("int_messages_enriched", "sent_at") | indent(4) }}),

    clicks as ({{ rows_of_insight_campaigns("int_clicks_classified") | indent(4) }}),

    unsubscribes as ({{ rows_of_insight_campaigns("int_unsubscribes_attributed") | indent(4) }}),

    direct_orders as ({{ rows_of_insight_campaigns("int_direct_orders_enriched") | indent(4) }}),

    events as (

        select message_id, 1 as clicking, 0 as unsubscribes, 0 as direct_orders, cast(0 as decimal(38, 2)) as revenue
        from clicks
        where not is_bot and message_id is not null and after_us <= {{ 72 * 3600 * 1000000 }}

        union all

        select message_id, 0 as clicking, 1 as unsubscribes, 0 as direct_orders, 0 as revenue
        from unsubscribes
        where message_id is not null

        union all

        select message_id, 0 as clicking, 0 as unsubscribes, 1 as direct_orders, coalesce(revenue, 0) as revenue
        from direct_orders
        where message_id is not null

    ),

    -- A message counts once, however many clicks or unsubscribes it has.
    message_events as (

        select
            message_id,
            max(clicking) as clicking,
            max(unsubscribes) as unsubscribes,
            sum(direct_orders) as direct_orders,
            sum(revenue) as revenue
        from events
        group by message_id

    )

select
    messages.campaign_id,
    cast(messages.sent_at as date) as sent_date,
    cast(messages.messages_before as integer) as messages_before,
    count(*) as messages,
    count(*) filter (where messages.delivery_status = 'delivered') as delivered,
    cast(coalesce(sum(message_events.clicking), 0) as bigint) as clicking,
    cast(coalesce(sum(message_events.unsubscribes), 0) as bigint) as unsubscribes,
    cast(coalesce(sum(message_events.direct_orders), 0) as bigint) as direct_orders,
    cast(coalesce(sum(message_events.revenue), 0) as decimal(38, 2)) as revenue,
    cast(sum(messages.cost) as decimal(38, 6)) as cost
from messages
left join message_events on messages.message_id = message_events.message_id
group by messages.campaign_id, cast(messages.sent_at as date), messages.messages_before
