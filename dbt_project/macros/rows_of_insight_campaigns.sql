{#
    The rows of a table of the insights that a model by campaign computes from: all rows, in an incremental run those of the
    campaigns that change. `time_column` names a timestamp of the row that lies within the period of its campaign.
#}
{% macro rows_of_insight_campaigns(table, time_column=none) -%}
    {{ _rows_of_campaigns(table, "insight", time_column) }}
{%- endmacro %}


{# The same for a model that computes from messages alone: far fewer campaigns change by messages than by clicks. #}
{% macro rows_of_message_campaigns(table, time_column) -%}
    {{ _rows_of_campaigns(table, "message", time_column) }}
{%- endmacro %}


{# The same for a model that computes from messages and from the numbers that each setting suppresses. #}
{% macro rows_of_what_if_campaigns(table, time_column) -%}
    {{ _rows_of_campaigns(table, "what_if", time_column) }}
{%- endmacro %}


{% macro _rows_of_campaigns(table, changed_by, time_column) -%}
    {%- if is_incremental() -%}
        {{
            rows_with_key(
                ref(table),
                ["campaign_id"],
                ref(changed_by ~ "_campaigns_this_run"),
                within_periods_this_run(time_column, changed_by ~ "_periods_this_run") if time_column else "true",
            )
        }}
    {%- else -%} select * from {{ ref(table) }}
    {%- endif -%}
{%- endmacro %}
