{#
    An error code in the form in which codes are compared: in upper case, and without a point and zeros after digits. Programs
    that keep codes as floating-point numbers write 30003.0 for 30003.
#}
{% macro error_code_key(code) -%}
    coalesce(nullif(regexp_extract({{ code }}, '^([0-9]+)[.]0+$', 1), ''), {{ ascii_upper(code) }})
{%- endmacro %}
