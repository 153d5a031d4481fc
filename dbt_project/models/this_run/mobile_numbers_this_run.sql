{{ config(materialized="table") }}

{#
    A suppression cannot change through messages that were sent after the hard bounces that caused it. A number that is not
    suppressed can become so only through a new hard bounce, or through a message that counted before and counts differently
    now.
#}
{%- set stored_suppressions = previous_relation("int_mobile_numbers_suppressed") -%}

with
    messages_this_run as (select * from {{ ref("messages_this_run") }} where is_sent),

    suppressed_numbers as (

        {% if stored_suppressions is none -%}
            select cast(null as string) as mobile_number, cast(null as timestamp) as message_sent_at where false
        {%- else -%}select mobile_number, message_sent_at from {{ stored_suppressions }}
        {%- endif %}

    )

select messages_this_run.mobile_number, min(messages_this_run.sent_at) as first_changed_sent_at
from messages_this_run
left join suppressed_numbers on messages_this_run.mobile_number = suppressed_numbers.mobile_number
group by messages_this_run.mobile_number
having
    bool_or(
        messages_this_run.sent_at <= suppressed_numbers.message_sent_at
        or (
            suppressed_numbers.mobile_number is null
            and (
                (messages_this_run.row_version = 'current' and messages_this_run.delivery_status = 'hard_bounce')
                or (messages_this_run.row_version = 'previous' and messages_this_run.delivery_status <> 'pending')
            )
        )
    )
