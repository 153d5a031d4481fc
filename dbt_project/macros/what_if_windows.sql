{# The conversion windows of campaign_metrics_by_window, in hours: those of SENDMART_WHAT_IF_WINDOWS and the one in force. #}
{% macro what_if_windows() -%}
    {{ return((var("what_if_windows") + [var("conversion_window_hours")]) | map("int") | unique | sort) }}
{%- endmacro %}


{#
    The numbers of consecutive hard bounces of suppression_what_if: 1 to 10, the one in force where it is greater, and those that
    `sendmart what-if` passes.
#}
{% macro what_if_hard_bounces() -%}
    {%- set others = [var("hard_bounces_to_suppress") | int] + var("what_if_hard_bounces", []) -%}
    {{ return((range(1, 11) | list + others) | unique | sort) }}
{%- endmacro %}
