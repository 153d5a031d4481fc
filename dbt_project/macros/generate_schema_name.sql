{# Schemas are called exactly what the project says, without the target's schema in front: `marts` is a public name. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
