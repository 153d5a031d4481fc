{#
    The numbers that hard bounces may suppress at another time in this run, under any setting, and when they did before. What the
    messages up to a deciding hard bounce have decided, no later message changes. A number that has no hard bounce yet can get
    only one of this run.
#}
{%- set stored_numbers = previous_relation("int_mobile_numbers_suppressed_by_setting") -%}
{#- An earlier attempt of this run may have changed the stored rows. -#}
{%- set is_repeated = is_incremental() | string | lower -%}
with
    messages_this_run as (select * from {{ ref("messages_this_run") }} where is_sent),

    suppressions as (

        {% if stored_numbers is none -%}
            select
                cast(null as string) as mobile_number,
                cast(null as integer) as hard_bounces,
                cast(null as timestamp) as suppressed_at,
                cast(null as timestamp) as message_sent_at
            where false
        {%- else -%}select mobile_number, hard_bounces, suppressed_at, message_sent_at from {{ stored_numbers }}
        {%- endif %}

    ),

    suppressed_numbers as (

        select mobile_number, max(message_sent_at) as last_message_sent_at from suppressions group by mobile_number

    ),

    changed_numbers as (

        select messages_this_run.mobile_number
        from messages_this_run
        left join suppressed_numbers on messages_this_run.mobile_number = suppressed_numbers.mobile_number
        group by messages_this_run.mobile_number
        having
            bool_or(
                messages_this_run.sent_at <= suppressed_numbers.last_message_sent_at
                or (messages_this_run.row_version = 'current' and messages_this_run.delivery_status = 'hard_bounce')
                or (
                    messages_this_run.row_version = 'previous'
                    and messages_this_run.delivery_status <> 'pending'
                    and suppressed_numbers.mobile_number is not null
                )
            )

    )

select
    'previous' as row_version,
    changed_numbers.mobile_number,
    suppressions.hard_bounces,
    suppressions.suppressed_at,
    {{ is_repeated }} as is_repeated
from changed_numbers
left join suppressions on changed_numbers.mobile_number = suppressions.mobile_number
