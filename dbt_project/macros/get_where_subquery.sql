{#
    dbt calls this macro for the relation that a generic test reads. If there is a table of the model in schema `checked`, the
    test reads that one: it holds the rows that this build changed, and all other rows were checked by earlier builds.
#}
{% macro duckdb__get_where_subquery(relation) -%}
    {%- set rows_to_check = (
        adapter.get_relation(database=target.database, schema="checked", identifier=relation.identifier)
        if execute
        else none
    ) -%}
    {{ return(dbt.default__get_where_subquery(rows_to_check or relation)) }}
{%- endmacro %}
