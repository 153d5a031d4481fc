{#
    The query of a model of periods: those in which the messages of the campaigns in a relation, and of the campaigns with
    changed messages, were or are sent or skipped.
#}
{% macro periods_of_campaigns(campaigns) -%}
    with
        messages_this_run as (select * from {{ ref("messages_this_run") }} where campaign_id is not null),

        changed_campaigns as (

            select campaign_id
            from {{ campaigns }}

            union all

            select campaign_id
            from messages_this_run

        ),

        campaign_periods as (

            select campaign_id, min(sent_at) as first_message_at, max(sent_at) as last_message_at
            from messages_this_run
            group by campaign_id

            union all

            select campaign_id, first_message_at, last_message_at
            from {{ ref("int_campaign_sends_aggregated") }}
            semi join changed_campaigns using (campaign_id)

        ),

        {{ merged_periods() | indent(4) }}
{%- endmacro %}


{# A condition on a timestamp, which rules out what comes before the messages that this run changes. #}
{% macro is_after_moved_messages(time_column) -%}
    {%- if not execute or model.resource_type == "unit_test" -%} {{ return("true") }} {%- endif -%}
    {{ return(_is_after(time_column, "select cast(min(sent_at) as string) from " ~ ref("messages_this_run"))) }}
{%- endmacro %}


{# A condition on a timestamp, which rules out what comes before the days of the exchange rates that this run changes. #}
{% macro is_after_changed_rates(time_column) -%}
    {%- if not execute or model.resource_type == "unit_test" -%} {{ return("true") }} {%- endif -%}
    {{
        return(
            _is_after(time_column, "select cast(min(rate_date) as string) from " ~ ref("exchange_rates_this_run"))
        )
    }}
{%- endmacro %}

{% macro _is_after(time_column, query) -%}
    {%- set since = run_query(query).rows[0][0] -%}
    {{ return(time_column ~ " >= timestamp '" ~ since ~ "'" if since else "false") }}
{%- endmacro %}
