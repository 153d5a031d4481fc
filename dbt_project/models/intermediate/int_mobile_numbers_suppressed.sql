{{ config(meta={'touched_by': {'touched_messages': ['mobile_number']}}) }}

-- depends_on: {{ ref('touched_messages') }}

with {% if is_incremental() -%}
-- A message that was pending before and did not bounce hard leaves a number that is not suppressed as it is.
touched_numbers as (

    select mobile_number from {{ ref('touched_messages') }}
    where
        is_sent
        and (
            (version = 'now' and delivery_status = 'hard_bounce')
            or (version = 'before' and delivery_status <> 'pending')
            or mobile_number in (select mobile_number from {{ this }})
        )
    group by mobile_number

),

final_messages as (

    {{ rows_with_key(ref('int_messages_resolved'), ['mobile_number'], 'touched_numbers') | indent(4) }}
    and is_sent
    and delivery_status <> 'pending'

),
{%- else -%}
final_messages as (

    select * from {{ ref('int_messages_resolved') }}
    where is_sent and delivery_status <> 'pending'

),
{%- endif %}

hard_bounces as (

    select * from final_messages
    where delivery_status = 'hard_bounce'

),

-- Few numbers bounce often enough: only their messages are put in order.
numbers_in_question as (

    select mobile_number
    from hard_bounces
    group by mobile_number
    having count(*) >= {{ var('hard_bounces_to_suppress') }}

),

messages_in_question as (

    select
        final_messages.mobile_number,
        final_messages.message_id,
        final_messages.campaign_id,
        final_messages.contact_id,
        final_messages.sent_at,
        final_messages.status_at,
        final_messages.delivery_status = 'hard_bounce' as is_hard_bounce
    from final_messages
    semi join numbers_in_question
        on final_messages.mobile_number = numbers_in_question.mobile_number

),

-- Hard bounces between the same two interruptions are one run. A sum, since DuckDB takes seconds for a filtered count
-- over one number with many messages.
messages_in_runs as (

    select
        *,
        sum(case when is_hard_bounce then 0 else 1 end) over (
            partition by mobile_number
            order by sent_at, message_id
            rows between unbounded preceding and current row
        ) as interruptions_before
    from messages_in_question

),

hard_bounces_counted as (

    select
        *,
        row_number() over (
            partition by mobile_number, interruptions_before
            order by sent_at, message_id
        ) as hard_bounces_in_run
    from messages_in_runs
    where is_hard_bounce

)

select
    mobile_number,
    status_at as suppressed_at,
    campaign_id,
    message_id,
    contact_id
from hard_bounces_counted
where
    hard_bounces_in_run = {{ var('hard_bounces_to_suppress') }}
    {%- if not var('hard_bounce_suppression') %}
    and false
    {%- endif %}
qualify row_number() over (partition by mobile_number order by sent_at, message_id) = 1
