{{ config(materialized="table") }}

{#
    The periods in which the messages of the changed campaigns were sent or skipped: where these messages lie in tables that
    are sorted by time. The stored period of a campaign covers its messages that this run does not change.
#}
{%- set stored_sends = previous_relation("int_campaign_sends_aggregated") -%}

with
    messages_this_run as (select * from {{ ref("messages_this_run") }} where campaign_id is not null),

    campaign_periods as (

        select campaign_id, min(sent_at) as first_message_at, max(sent_at) as last_message_at
        from messages_this_run
        group by campaign_id
        {%- if stored_sends is not none %}

            union all

            select campaign_id, first_message_at, last_message_at
            from {{ stored_sends }}
            semi join messages_this_run using (campaign_id)
        {%- endif %}

    ),

    campaign_periods_ordered as (

        select
            first_message_at,
            last_message_at,
            max(last_message_at) over (
                order by first_message_at, last_message_at rows between unbounded preceding and 1 preceding
            ) as previous_last_message_at
        from campaign_periods

    ),

    -- Periods with one day or less between them become one period.
    campaign_periods_numbered as (

        select
            first_message_at,
            last_message_at,
            sum(
                case when first_message_at <= {{ dbt.dateadd("day", 1, "previous_last_message_at") }} then 0 else 1 end
            ) over (order by first_message_at, last_message_at rows between unbounded preceding and current row)
            as period_number
        from campaign_periods_ordered

    )

select min(first_message_at) as valid_from, max(last_message_at) as valid_until
from campaign_periods_numbered
group by period_number
