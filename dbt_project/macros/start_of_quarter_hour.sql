{# The start of the quarter of an hour in which a UTC timestamp lies. #}
{% macro start_of_quarter_hour(timestamp) -%}
    {%- set microseconds = microseconds_of(timestamp) -%}
    {{ timestamp_of(microseconds ~ " - " ~ microseconds ~ " % 900000000") }}
{%- endmacro %}
