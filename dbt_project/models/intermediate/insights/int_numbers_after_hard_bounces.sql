{{ config(meta={"changed_keys": {"what_if_numbers_this_run": ["mobile_number"]}}) }}

-- depends_on: {{ ref('what_if_numbers_this_run') }}
{#- A full build reads the messages three times, with few columns each time. DuckDB would keep all columns of one CTE. -#}
{%- set messages = "messages_of_changed_numbers" if is_incremental() else ref("int_messages_enriched") %}

with
    {% if is_incremental() -%}
        messages_of_changed_numbers as (

            {{
                rows_with_key(
                    ref("int_messages_enriched"), ["mobile_number"], ref("what_if_numbers_this_run")
                ) | indent(12)
            }}

        ),

    {% endif -%}
    numbers_with_hard_bounces as (

        select mobile_number, count(*) as hard_bounces, min(status_at) as first_status_at
        from {{ messages }}
        where delivery_status = 'hard_bounce'
        group by mobile_number

    ),

    -- Most of these numbers have one hard bounce. Only the messages of the others are sorted.
    numbers_in_question as (select mobile_number from numbers_with_hard_bounces where hard_bounces > 1),

    messages_in_question as (

        select mobile_number, message_id, sent_at, status_at, delivery_status = 'hard_bounce' as is_hard_bounce
        from {{ messages }}
        semi join numbers_in_question using (mobile_number)
        where delivery_status <> 'pending'

    ),

    -- Hard bounces between the same two interruptions are one run.
    messages_in_runs as (

        select
            *,
            sum(case when is_hard_bounce then 0 else 1 end) over (
                partition by mobile_number order by sent_at, message_id rows between unbounded preceding and current row
            ) as interruptions_before
        from messages_in_question

    ),

    hard_bounces_counted as (

        select
            mobile_number,
            message_id,
            sent_at,
            status_at,
            row_number() over (
                partition by mobile_number, interruptions_before order by sent_at, message_id
            ) as hard_bounces
        from messages_in_runs
        where is_hard_bounce

    ),

    first_hard_bounces as (

        select mobile_number, hard_bounces, status_at
        from hard_bounces_counted
        where hard_bounces in ({{ what_if_hard_bounces() | join(", ") }})
        qualify row_number() over (partition by mobile_number, hard_bounces order by sent_at, message_id) = 1

    ),

    suppressions as (

        select mobile_number, hard_bounces, status_at as suppressed_at
        from first_hard_bounces

        union all

        select mobile_number, hard_bounces, first_status_at as suppressed_at
        from numbers_with_hard_bounces
        where hard_bounces = 1

    ),

    messages_after as (

        select
            suppressions.mobile_number,
            suppressions.hard_bounces,
            count(*) as messages_after,
            count(*) filter (where messages.delivery_status = 'delivered') as delivered_after,
            sum(messages.segments) as segments_after,
            sum(messages.cost) as cost_after
        from suppressions
        inner join
            {{ messages }} as messages
            on suppressions.mobile_number = messages.mobile_number
            and suppressions.suppressed_at < messages.sent_at
        group by suppressions.mobile_number, suppressions.hard_bounces

    )

select
    suppressions.mobile_number,
    cast(suppressions.hard_bounces as integer) as hard_bounces,
    suppressions.suppressed_at,
    cast(coalesce(messages_after.messages_after, 0) as bigint) as messages_after,
    cast(coalesce(messages_after.delivered_after, 0) as bigint) as delivered_after,
    cast(coalesce(messages_after.segments_after, 0) as bigint) as segments_after,
    cast(coalesce(messages_after.cost_after, 0) as decimal(38, 6)) as cost_after
from suppressions
left join
    messages_after
    on suppressions.mobile_number = messages_after.mobile_number
    and suppressions.hard_bounces = messages_after.hard_bounces
