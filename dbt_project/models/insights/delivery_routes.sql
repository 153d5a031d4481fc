{{
    config(
        materialized=incremental_or_table("incremental"),
        meta={"changed_keys": {"message_campaigns_this_run": ["campaign_id"]}},
    )
}}
{%- set percents = [50, 90, 95, 99] %}

-- depends_on: {{ ref('message_campaigns_this_run') }}, {{ ref('message_periods_this_run') }}
with
    messages as ({{ rows_of_message_campaigns("int_messages_enriched", "sent_at") | indent(4) }}),

    -- The time to delivery is null for a message that was not delivered, or delivered before it was sent.
    messages_timed as (

        select
            campaign_id,
            country,
            provider,
            delivery_status,
            has_receipt,
            segments,
            cost,
            case
                when delivery_status = 'delivered' and status_at >= sent_at
                then
                    {{ milliseconds_of("(" ~ microseconds_of("status_at") ~ " - " ~ microseconds_of("sent_at") ~ ")") }}
            end as elapsed_ms
        from messages

    ),

    routes as (

        select
            campaign_id,
            country,
            provider,
            count(*) as messages,
            count(*) filter (where delivery_status = 'delivered') as delivered,
            count(*) filter (where delivery_status = 'pending') as pending,
            count(*) filter (where delivery_status = 'soft_bounce') as soft_bounces,
            count(*) filter (where delivery_status = 'hard_bounce') as hard_bounces,
            count(*) filter (where delivery_status = 'deleted') as deleted,
            count(*) filter (where not has_receipt) as without_receipt,
            sum(segments) as segments,
            sum(cost) as cost,
            count(elapsed_ms) as timed,
            {{ percentile_values("elapsed_ms", percents, "elapsed_ms is not null") }} as percentiles,
            max(elapsed_ms) as max_ms,
            count(*) filter (where elapsed_ms <= 10000) as within_10_s,
            count(*) filter (where elapsed_ms <= 60000) as within_60_s,
            count(*) filter (where elapsed_ms <= 3600000) as within_1_h
        from messages_timed
        group by campaign_id, country, provider

    )

select
    cast(campaign_id as string) as campaign_id,
    cast(country as string) as country,
    cast(provider as string) as provider,
    cast(messages as bigint) as messages,
    cast(delivered as bigint) as delivered,
    cast(pending as bigint) as pending,
    cast(soft_bounces as bigint) as soft_bounces,
    cast(hard_bounces as bigint) as hard_bounces,
    cast(deleted as bigint) as deleted,
    cast(without_receipt as bigint) as without_receipt,
    cast(messages - without_receipt as double) / messages as receipt_ratio,
    cast(messages - pending as double) / messages as final_ratio,
    cast(delivered as double) / messages as delivery_rate,
    cast(segments as bigint) as segments,
    cast(
        {{
            amount_or_error(
                "cost",
                "'campaign ' || campaign_id || ': the cost of its messages to one country'",
                "decimal(18, 6)",
            ) | indent(8)
        }} as decimal(18, 6)
    ) as cost,
    cast(timed as bigint) as timed,
    cast(delivered - timed as bigint) as clock_skewed,
    {%- for percent in percents %}
        cast({{ percentile_from("percentiles", percents, loop.index) }} as bigint) as p{{ percent }}_ms,
    {%- endfor %}
    cast(max_ms as bigint) as max_ms,
    cast(within_10_s as bigint) as within_10_s,
    cast(within_60_s as bigint) as within_60_s,
    cast(within_1_h as bigint) as within_1_h
from routes
