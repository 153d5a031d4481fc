{# Whole milliseconds of a number of microseconds, rounded toward minus infinity. #}
{% macro milliseconds_of(microseconds) -%}
    cast({{ whole_quotient(microseconds ~ " - (" ~ microseconds ~ " % 1000 + 1000) % 1000", 1000) }} as bigint)
{%- endmacro %}
