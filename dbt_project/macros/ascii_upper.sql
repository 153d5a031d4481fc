{# Upper case for ASCII letters alone: `upper()` would turn a dotless i into an I, and so match what does not match. #}
{% macro ascii_upper(text) -%}
    translate({{ text }}, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ')
{%- endmacro %}
