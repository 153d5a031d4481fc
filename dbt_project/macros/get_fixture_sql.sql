{#
    The rows of a unit test's input as SQL. dbt takes the types of the columns from the input's table, and fails if there is no
    such table. Several models read tables of the last run, which a first `dbt build` does not have. Then the types are those
    of the yml files, which `on-run-start` has stored: a unit test cannot read them.
#}
{% macro get_fixture_sql(rows, column_name_to_data_types) -%}
    {%- if not execute or target.name != "dev" or load_relation(this) -%}
        {{ return(dbt.get_fixture_sql(rows, column_name_to_data_types)) }}
    {%- endif -%}
    {%- set types = {} -%}
    {%- for column in run_query(
        "select column_name, data_type from internal.declared_columns where model= '"
        ~ this.identifier
        ~ "'"
    ).rows -%}
        {%- do types.update({column[0]: column[1]}) -%}
    {%- endfor -%}
    {%- if not types -%} {{ return(dbt.get_fixture_sql(rows, column_name_to_data_types)) }} {%- endif -%}
    {%- set selects = [] -%}
    {%- for row in rows or [{}] -%}
        {%- set values = [] -%}
        {%- set given = dbt.format_row(row, types) -%}
        {%- for name, data_type in types.items() -%}
            {%- do values.append(given.get(name, "cast(null as " ~ data_type ~ ")") ~ " as " ~ name) -%}
        {%- endfor -%}
        {%- do selects.append("select " ~ values | join(", ")) -%}
    {%- endfor -%}
    {{ return(selects | join(" union all ") ~ ("" if rows else " limit 0")) }}
{%- endmacro %}
