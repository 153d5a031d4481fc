{#
    A sum as a decimal type; null stays null. A sum that does not fit fails the build: `subject` is SQL for what is summed up,
    such as `'campaign ' || campaign_id || ': the cost of its messages'`.
#}
{% macro amount_or_error(sum, subject, data_type) -%}
    {%- set message -%}
        {{ subject }} || ' is ' || cast({{ sum }} as string) || ', more than {{ data_type }} holds'
    {%- endset -%}
    case
        when {{ sum }} is not null and try_cast({{ sum }} as {{ data_type }}) is null
        then {{ error_in_place_of_amount(message, data_type) | indent(8) }}
        else try_cast({{ sum }} as {{ data_type }})
    end
{%- endmacro %}
