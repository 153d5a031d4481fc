{{ config(materialized="table") }}

{#
    The campaigns whose messages change, and those that sent to a number after a suppression that came, went or moved in this run.
    If an attempt of this run has already stored suppressions, those look the same before and after this attempt: then every
    suppression counts as changed.
#}
{%- set numbers = ref("what_if_numbers_this_run") -%}
{%- set changed_numbers %}
    suppressions as (

        select mobile_number, hard_bounces, suppressed_at, is_repeated
        from {{ numbers }}
        where hard_bounces is not null

        union all

        select mobile_number, hard_bounces, suppressed_at, false as is_repeated
        from {{ ref("int_mobile_numbers_suppressed_by_setting") }}
        semi join {{ numbers }} using (mobile_number)

    ),

    changed_suppressions as (

        select mobile_number, suppressed_at
        from suppressions
        group by mobile_number, hard_bounces, suppressed_at
        having count(*) = 1 or bool_or(is_repeated)

    ),

    changed_numbers as (

        select mobile_number, min(suppressed_at) as suppressed_at from changed_suppressions group by mobile_number

    )
{%- endset %}
{%- set first_suppressed_at = (
    run_query(
        "with " ~ changed_numbers ~ " select cast(min(suppressed_at) as string) from changed_numbers"
    ).rows[0][0]
    if execute and model.resource_type != "unit_test" and load_relation(numbers)
    else none
) -%}

with
    {{ changed_numbers }},

    campaigns as (

        select campaign_id
        from {{ ref("message_campaigns_this_run") }}

        union all

        select messages.campaign_id
        from {{ ref("int_messages_resolved") }} as messages
        inner join
            changed_numbers
            on messages.mobile_number = changed_numbers.mobile_number
            and messages.sent_at > changed_numbers.suppressed_at
        where
            messages.is_sent
            {%- if first_suppressed_at %} and messages.sent_at > timestamp '{{ first_suppressed_at }}' {%- endif %}

    )

select campaign_id
from campaigns
group by campaign_id
