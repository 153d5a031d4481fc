{{ config(meta={"changed_keys": {"message_campaigns_this_run": ["campaign_id"]}}) }}
{%- set time_zone = var("report_timezone") %}

-- depends_on: {{ ref('message_campaigns_this_run') }}, {{ ref('message_periods_this_run') }}
with
    messages as ({{ rows_of_message_campaigns("int_messages_enriched", "sent_at") | indent(4) }}),

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
                cost
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
                cast(0 as decimal(38, 6)) as cost
            from message_days
            where status_on is not null
        {% endfor %}

    )

select
    campaign_id,
    cast(clock as string) as clock,
    day,
    cast(sum(messages) as bigint) as messages,
    cast(sum(delivered) as bigint) as delivered,
    cast(sum(failed) as bigint) as failed,
    cast(sum(segments) as bigint) as segments,
    cast(coalesce(sum(cost), 0) as decimal(38, 6)) as cost
from figures
group by campaign_id, clock, day
