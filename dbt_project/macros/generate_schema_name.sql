{#
    Schemas are called exactly what the project says, without the target's schema in front: `marts` is a public name. On Spark,
    where many share a catalogue, a build has schemas of its own: one for what is published of it, one for the rest.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ adapter.dispatch('generate_schema_name')(custom_schema_name) }}
{%- endmacro %}

{% macro spark__generate_schema_name(custom_schema_name) -%}
    {{ target.schema ~ ('_marts' if custom_schema_name in ('marts', 'digests', 'timelines') else '_work') }}
{%- endmacro %}

{% macro duckdb__generate_schema_name(custom_schema_name) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
