{#
    What a generic test reads in place of its model: dbt asks this macro for it. The rows of the model that were put aside
    to be checked, in a build that went on from one that was held to every check (schema `checked`); else the model.
#}
{% macro duckdb__get_where_subquery(relation) -%}
    {%- set rows_to_check = adapter.get_relation(
        database=target.database, schema='checked', identifier=relation.identifier
    ) if execute else none -%}
    {{ return(dbt.default__get_where_subquery(rows_to_check or relation)) }}
{%- endmacro %}
