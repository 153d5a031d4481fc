{#
    dbt calls this macro for the relation that a generic test reads. A comment marks the relation: a refresh, which runs the
    compiled SQL itself, reads a copy of the rows that the build changed instead, if all other rows were checked by earlier
    builds (`warehouse/transform/dbt_tests.py`).
#}
{% macro duckdb__get_where_subquery(relation) -%}
    {{ return(dbt.default__get_where_subquery("/* rows to check */ " ~ relation)) }}
{%- endmacro %}
