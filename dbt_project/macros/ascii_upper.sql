{# Converts ASCII letters to upper case. `upper()` would also turn a dotless i into an I, and match different words. #}
{% macro ascii_upper(text) -%}
    translate({{ text }}, 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ')
{%- endmacro %}
