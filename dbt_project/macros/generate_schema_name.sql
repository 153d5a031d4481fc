{#
    A schema has exactly the name that the project gives, without the target's schema as a prefix: `marts` and `insights` are public names.
    On Spark, whose catalogue is shared, each build has two schemas of its own: one for the published tables, one for the rest.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ adapter.dispatch("generate_schema_name")(custom_schema_name) }}
{%- endmacro %}

{% macro spark__generate_schema_name(custom_schema_name) -%}
    {{ target.schema ~ ("_marts" if custom_schema_name in ("marts", "insights", "internal") else "_work") }}
{%- endmacro %}

{% macro duckdb__generate_schema_name(custom_schema_name) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
