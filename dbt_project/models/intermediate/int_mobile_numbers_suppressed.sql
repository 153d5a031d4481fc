{{ config(meta={'touched_by': {'touched_mobile_numbers': ['mobile_number']}}) }}

-- depends_on: {{ ref('touched_mobile_numbers') }}

-- Few numbers bounce often enough: only their messages are put in order.
with numbers_in_question as (

    select mobile_number
    from {{ ref('int_messages_resolved') }}
    {%- if is_incremental() %}
    semi join {{ ref('touched_mobile_numbers') }} using (mobile_number)
    {%- endif %}
    where is_sent and delivery_status = 'hard_bounce'
    group by mobile_number
    having count(*) >= {{ var('hard_bounces_to_suppress') }}

),

messages_in_question as (

    select
        mobile_number,
        message_id,
        sent_at,
        delivery_status = 'hard_bounce' as is_hard_bounce
    from {{ ref('int_messages_resolved') }}
    semi join numbers_in_question using (mobile_number)
    where is_sent and delivery_status <> 'pending'

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

),

deciding_hard_bounces as (

    select message_id
    from hard_bounces_counted
    where
        hard_bounces_in_run = {{ var('hard_bounces_to_suppress') }}
        {%- if not var('hard_bounce_suppression') %}
        and false
        {%- endif %}
    qualify row_number() over (partition by mobile_number order by sent_at, message_id) = 1

),

-- Few, looked up at last: what else is known of a message need not be read for all that were put in order.
deciding_messages as (

    {{ rows_with_key(ref('int_messages_resolved'), ['message_id'], 'deciding_hard_bounces') | indent(4) }}

)

select
    mobile_number,
    status_at as suppressed_at,
    campaign_id,
    message_id,
    contact_id,
    sent_at as message_sent_at
from deciding_messages
