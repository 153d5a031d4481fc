{{ config(meta={"changed_keys": {"mobile_numbers_this_run": ["mobile_number"]}}) }}

-- depends_on: {{ ref('mobile_numbers_this_run') }}, {{ ref('campaign_periods_this_run') }}
{#- A full build reads the messages twice, with few columns each time. DuckDB would keep all columns of one shared CTE. -#}
{%- set messages = "messages_of_changed_numbers" if is_incremental() else ref("int_messages_resolved") %}

with
    {% if is_incremental() -%}
        mobile_numbers_this_run as (select * from {{ ref("mobile_numbers_this_run") }}),

        recent_messages as (

            select *
            from {{ ref("int_messages_resolved") }}
            semi join mobile_numbers_this_run using (mobile_number)
            where is_sent and delivery_status <> 'pending' and {{ is_recent("sent_at") }}

        ),

        recent_interruptions as (

            select mobile_number, min(sent_at) as first_interrupted_at
            from recent_messages
            where delivery_status <> 'hard_bounce'
            group by mobile_number

        ),

        -- No run of hard bounces was complete before the first changed message: it would have suppressed the
        -- number, and the number would not be here. So if the run is interrupted before that message, no message
        -- before the interruption matters.
        numbers_to_look_back_for as (

            select mobile_numbers_this_run.mobile_number
            from mobile_numbers_this_run
            left join recent_interruptions on mobile_numbers_this_run.mobile_number = recent_interruptions.mobile_number
            where
                recent_interruptions.first_interrupted_at is null
                or recent_interruptions.first_interrupted_at >= mobile_numbers_this_run.first_changed_sent_at

        ),

        messages_of_changed_numbers as (

            select *
            from recent_messages

            union all

            select *
            from {{ ref("int_messages_resolved") }}
            semi join numbers_to_look_back_for using (mobile_number)
            where is_sent and delivery_status <> 'pending' and not {{ is_recent("sent_at") }}

        ),

    {% endif -%}
    -- Few numbers bounce often enough. Only their messages are sorted.
    numbers_in_question as (

        select mobile_number
        from {{ messages }}
        where is_sent and delivery_status = 'hard_bounce'
        group by mobile_number
        having count(*) >= {{ var("hard_bounces_to_suppress") }}

    ),

    messages_in_question as (

        select mobile_number, message_id, sent_at, delivery_status = 'hard_bounce' as is_hard_bounce
        from {{ messages }}
        semi join numbers_in_question using (mobile_number)
        where is_sent and delivery_status <> 'pending'

    ),

    {{ hard_bounces_in_a_row() | indent(4) }},

    deciding_hard_bounces as (

        select message_id, sent_at
        from hard_bounces_counted
        where
            hard_bounces = {{ var("hard_bounces_to_suppress") }}
            {%- if not var("hard_bounce_suppression") %} and false {%- endif %}
        qualify row_number() over (partition by mobile_number order by sent_at, message_id) = 1

    ),

    -- These are few, so their other columns are looked up last and not read for all sorted messages. With the time
    -- in the key, DuckDB skips most row groups.
    deciding_messages as (

        {{
            rows_with_key(ref("int_messages_resolved"), ["sent_at", "message_id"], "deciding_hard_bounces") | indent(
                4
            )
        }}

    )

select mobile_number, status_at as suppressed_at, campaign_id, message_id, contact_id, sent_at as message_sent_at
from deciding_messages
