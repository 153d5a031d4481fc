{{ config(meta={"changed_keys": {"insight_campaigns_this_run": ["campaign_id"]}}) }}

-- depends_on: {{ ref('insight_campaigns_this_run') }}, {{ ref('insight_periods_this_run') }}
with
    messages as ({{ rows_of_insight_campaigns("int_messages_enriched", "sent_at") | indent(4) }}),

    clicks as ({{ rows_of_insight_campaigns("int_clicks_classified") | indent(4) }}),

    orders as ({{ rows_of_insight_campaigns("int_direct_orders_enriched") | indent(4) }}),

    -- Nothing is known of a message before the message itself.
    figures as (

        select
            campaign_id,
            case when delivery_status = 'delivered' then 'delivered' else 'failed' end as figure,
            cast(sent_at as date) as sent_on,
            greatest(known_log_date, first_log_date) as known_on,
            count(*) as known
        from messages
        where delivery_status <> 'pending'
        group by 1, 2, 3, 4

        union all

        select
            messages.campaign_id,
            'clicks' as figure,
            cast(messages.sent_at as date) as sent_on,
            greatest(clicks.first_log_date, messages.first_log_date) as known_on,
            count(*) as known
        from clicks
        inner join messages on clicks.message_id = messages.message_id
        where {{ is_click_counted() }}
        group by 1, 2, 3, 4

        union all

        select
            messages.campaign_id,
            'direct_orders' as figure,
            cast(messages.sent_at as date) as sent_on,
            greatest(orders.first_log_date, messages.first_log_date) as known_on,
            count(*) as known
        from orders
        inner join messages on orders.message_id = messages.message_id
        group by 1, 2, 3, 4

    ),

    -- All that became known after day 14 is one age.
    ages as (

        select
            campaign_id,
            figure,
            sent_on,
            least(greatest({{ dbt.datediff("sent_on", "known_on", "day") }}, 0), 15) as age_days,
            known
        from figures

    )

select
    campaign_id,
    cast(figure as string) as figure,
    sent_on,
    cast(age_days as bigint) as age_days,
    cast(sum(known) as bigint) as known
from ages
group by campaign_id, figure, sent_on, age_days
