{{ config(materialized="table") }}

{#
    The periods in which the messages of the changed campaigns were sent or skipped: where these messages lie in tables that
    are sorted by time. The stored period of a campaign covers its messages that this run does not change.
#}
{%- set stored_sends = previous_relation("int_campaign_sends_aggregated") -%}

with
    messages_this_run as (select * from {{ ref("messages_this_run") }} where campaign_id is not null),

    campaign_periods as (

        select campaign_id, min(sent_at) as first_message_at, max(sent_at) as last_message_at
        from messages_this_run
        group by campaign_id
        {%- if stored_sends is not none %}

            union all

            select campaign_id, first_message_at, last_message_at
            from {{ stored_sends }}
            semi join messages_this_run using (campaign_id)
        {%- endif %}

    ),

    {{ merged_periods() }}
