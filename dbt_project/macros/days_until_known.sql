{#
    The age at which a figure became known: days from the day of its message to a log date, 0 for earlier dates. All that
    became known after day 14 is one age, 15.
#}
{% macro days_until_known(sent_on, log_date) -%}
    cast(least(greatest({{ dbt.datediff(sent_on, log_date, "day") }}, 0), 15) as bigint)
{%- endmacro %}
