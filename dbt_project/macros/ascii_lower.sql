{#
    Converts ASCII letters to lower case, and no others: `lower()` would also change letters such as É and İ. `translate` is slow;
    most texts are in lower case already.
#}
{% macro ascii_lower(text) -%}
    case
        when {{ text }} = lower({{ text }})
        then {{ text }}
        else translate({{ text }}, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')
    end
{%- endmacro %}
