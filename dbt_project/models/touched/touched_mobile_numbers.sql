{{ config(materialized='table') }}

{#
    Nothing that is sent after the run that a suppression came of can change it; and where there is none, only a further
    hard bounce can bring it, or a message that counted before and may count otherwise now.
#}
{%- set state = state_of('int_mobile_numbers_suppressed') -%}

with touched_messages as (

    select * from {{ ref('touched_messages') }}
    where is_sent

),

numbers_suppressed as (

    {% if state is none -%}
    select
        cast(null as string) as mobile_number,
        cast(null as timestamp) as message_sent_at
    where false
    {%- else -%}
    select
        mobile_number,
        message_sent_at
    from {{ state }}
    {%- endif %}

)

select
    touched_messages.mobile_number,
    min(touched_messages.sent_at) as first_touched_at
from touched_messages
left join numbers_suppressed
    on touched_messages.mobile_number = numbers_suppressed.mobile_number
group by touched_messages.mobile_number
having bool_or(
    touched_messages.sent_at <= numbers_suppressed.message_sent_at
    or (
        numbers_suppressed.mobile_number is null
        and (
            (touched_messages.version = 'now' and touched_messages.delivery_status = 'hard_bounce')
            or (touched_messages.version = 'before' and touched_messages.delivery_status <> 'pending')
        )
    )
)
