{{ config(materialized="table") }}

{#
    The numbers that have or had a hard bounce, and whose messages, or the exchange rates of their costs, changed in this run. The
    stored rows name the numbers with a hard bounce before this run.
#}
{%- set stored_numbers = previous_relation("int_numbers_after_hard_bounces") -%}
with
    {{ changed_exchange_rate_periods(ref("exchange_rates_this_run"), ref("int_exchange_rates_deduplicated")) }},

    changed_messages as (

        select mobile_number, row_version = 'current' and delivery_status = 'hard_bounce' as is_hard_bounce
        from {{ ref("messages_this_run") }}
        where is_sent

        union all

        select messages.mobile_number, false as is_hard_bounce
        from {{ ref("int_messages_resolved") }} as messages
        inner join
            changed_exchange_rate_periods
            on messages.cost_currency = changed_exchange_rate_periods.currency
            and cast(messages.sent_at as date) >= changed_exchange_rate_periods.valid_from
            and cast(messages.sent_at as date) < changed_exchange_rate_periods.valid_until
        where messages.is_sent and messages.cost is not null and {{ is_after_changed_rates("messages.sent_at") }}

    ),

    changed_numbers as (

        select mobile_number, bool_or(is_hard_bounce) as has_hard_bounce from changed_messages group by mobile_number

    ),

    stored_numbers as (

        {% if stored_numbers is none -%}select cast(null as string) as mobile_number where false
        {%- else -%}select mobile_number from {{ stored_numbers }} group by mobile_number
        {%- endif %}

    )

select changed_numbers.mobile_number
from changed_numbers
left join stored_numbers on changed_numbers.mobile_number = stored_numbers.mobile_number
where changed_numbers.has_hard_bounce or stored_numbers.mobile_number is not null
