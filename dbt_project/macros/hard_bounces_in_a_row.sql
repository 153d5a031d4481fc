{#
    Common table expressions; the last is `hard_bounces_counted`: the hard bounces of `messages_in_question`, each with its place
    in its run of hard bounces (`hard_bounces`). The caller defines `messages_in_question` before them: mobile_number,
    message_id, sent_at, is_hard_bounce and any other columns, without pending messages. Of a number, it holds every message
    from the first hard bounce that may count to the last one.
#}
{% macro hard_bounces_in_a_row() -%}
    -- Hard bounces between the same two interruptions are one run. A sum of a case: DuckDB takes seconds for a filtered
    -- count over one number with many messages.
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
            *,
            row_number() over (
                partition by mobile_number, interruptions_before order by sent_at, message_id
            ) as hard_bounces
        from messages_in_runs
        where is_hard_bounce

    )
{%- endmacro %}
