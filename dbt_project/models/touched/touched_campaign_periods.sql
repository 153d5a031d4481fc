{{ config(materialized='table') }}

{#
    When the messages of touched campaigns were sent or skipped: where they lie in tables that are in order of time. What is
    stored of a campaign covers its messages that are not touched; the others are at hand.
#}
{%- set state = state_of('int_campaign_sends_aggregated') -%}

with touched_messages as (

    select * from {{ ref('touched_messages') }}
    where campaign_id is not null

),

campaign_periods as (

    select
        campaign_id,
        min(sent_at) as first_message_at,
        max(sent_at) as last_message_at
    from touched_messages
    group by campaign_id
    {%- if state is not none %}

    union all

    select
        campaign_id,
        first_message_at,
        last_message_at
    from {{ state }}
    semi join touched_messages using (campaign_id)
    {%- endif %}

),

campaign_periods_ordered as (

    select
        first_message_at,
        last_message_at,
        max(last_message_at) over (
            order by first_message_at, last_message_at
            rows between unbounded preceding and 1 preceding
        ) as last_message_before_at
    from campaign_periods

),

-- Those with a day or less between them are one.
campaign_periods_numbered as (

    select
        first_message_at,
        last_message_at,
        sum(
            case when first_message_at <= {{ dbt.dateadd('day', 1, 'last_message_before_at') }} then 0 else 1 end
        ) over (
            order by first_message_at, last_message_at
            rows between unbounded preceding and current row
        ) as period_number
    from campaign_periods_ordered

)

select
    min(first_message_at) as valid_from,
    max(last_message_at) as valid_until
from campaign_periods_numbered
group by period_number
