{{ config(meta={"changed_keys": {"what_if_numbers_this_run": ["mobile_number"]}}) }}

-- depends_on: {{ ref('what_if_numbers_this_run') }}
{#- A full build reads the messages twice, with few columns each time. DuckDB would keep all columns of one CTE. -#}
{%- set messages = "messages_of_changed_numbers" if is_incremental() else ref("int_messages_resolved") %}

with
    {% if is_incremental() -%}
        -- The numbers have messages in the whole history. To read few columns of all is cheaper than to look up rows.
        messages_of_changed_numbers as (

            select mobile_number, message_id, sent_at, status_at, delivery_status, is_sent
            from {{ ref("int_messages_resolved") }}
            semi join {{ ref("what_if_numbers_this_run") }} using (mobile_number)
            where is_sent and delivery_status <> 'pending'

        ),

    {% endif -%}
    numbers_with_hard_bounces as (

        select
            mobile_number,
            count(*) as hard_bounces,
            min(status_at) as first_status_at,
            min(sent_at) as first_sent_at,
            max(sent_at) as last_sent_at
        from {{ messages }}
        where is_sent and delivery_status = 'hard_bounce'
        group by mobile_number

    ),

    -- Only the messages between the first and the last hard bounce of a number are sorted.
    numbers_in_question as (

        select mobile_number, first_sent_at, last_sent_at from numbers_with_hard_bounces where hard_bounces > 1

    ),

    messages_in_question as (

        select
            messages.mobile_number,
            messages.message_id,
            messages.sent_at,
            messages.status_at,
            messages.delivery_status = 'hard_bounce' as is_hard_bounce
        from {{ messages }} as messages
        inner join
            numbers_in_question
            on messages.mobile_number = numbers_in_question.mobile_number
            and messages.sent_at >= numbers_in_question.first_sent_at
            and messages.sent_at <= numbers_in_question.last_sent_at
        where messages.is_sent and messages.delivery_status <> 'pending'

    ),

    {{ hard_bounces_in_a_row() | indent(4) }},

    first_hard_bounces as (

        select mobile_number, hard_bounces, status_at, sent_at
        from hard_bounces_counted
        where hard_bounces in ({{ what_if_hard_bounces() | join(", ") }})
        qualify row_number() over (partition by mobile_number, hard_bounces order by sent_at, message_id) = 1

    )

select
    mobile_number, cast(hard_bounces as integer) as hard_bounces, status_at as suppressed_at, sent_at as message_sent_at
from first_hard_bounces

union all

select
    mobile_number,
    cast(hard_bounces as integer) as hard_bounces,
    first_status_at as suppressed_at,
    first_sent_at as message_sent_at
from numbers_with_hard_bounces
where hard_bounces = 1
