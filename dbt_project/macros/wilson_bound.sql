{#
    A bound of the 95 % Wilson score interval of `part` / `whole`, without continuity correction; null if the whole is 0.
    `bound` is `low` or `high`. It is exactly 0 or 1 where the formula says so, and rounding would not.
#}
{% macro wilson_bound(bound, part, whole) -%}
    {%- set z = "1.959963984540054e0" -%}
    {%- set square = "3.841458820694124e0" -%}
    case
        when {{ whole }} = 0
        then null
        when {{ part }} = {{ "0" if bound == "low" else whole }}
        then {{ "0e0" if bound == "low" else "1e0" }}
        else
            (
                cast({{ part }} as double) / {{ whole }}
                + {{ square }}
                / (2e0 * {{ whole }}) {{ "-" if bound == "low" else "+" }} {{ z }}
                * sqrt(
                    cast({{ part }} as double) / {{ whole }} * ({{ whole }} - {{ part }}) / {{ whole }} / {{ whole }}
                    + {{ square }} / (4e0 * {{ whole }} * {{ whole }})
                )
            )
            / (1e0 + {{ square }} / {{ whole }})
    end
{%- endmacro %}
