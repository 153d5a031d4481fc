{#
    A sum over the orders of a campaign as decimal(18,2), the type of money in the marts. A sum that does not fit fails the
    build, with a message that names the campaign and its largest order (`largest_order_id`).
#}
{% macro campaign_amount(sum, orders) -%}
    {%- set message -%}
        'campaign ' || campaign_id || ': the revenue of its {{ orders }} is ' || cast({{ sum }} as string)
        || ', more than decimal(18,2) holds; its largest order is ' || largest_order_id
    {%- endset -%}
    case
        when try_cast({{ sum }} as decimal(18, 2)) is null
        then {{ error_in_place_of_amount(message) | indent(8) }}
        else try_cast({{ sum }} as decimal(18, 2))
    end
{%- endmacro %}
