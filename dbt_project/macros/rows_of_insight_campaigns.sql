{#
    The rows of a table of the insights that a model by campaign computes from: all rows, in an incremental run those of the
    campaigns that change. `time_column` names a timestamp of the row that lies within the period of its campaign.
#}
{% macro rows_of_insight_campaigns(table, time_column=none) -%}
    {%- if is_incremental() -%}
        {{
            rows_with_key(
                ref(table),
                ["campaign_id"],
                ref("insight_campaigns_this_run"),
                within_periods_this_run(time_column, "insight_periods_this_run") if time_column else "true",
            )
        }}
    {%- else -%} select * from {{ ref(table) }}
    {%- endif -%}
{%- endmacro %}
