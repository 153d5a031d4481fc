{#
    Publication on Spark: operations that a refresh runs, each for one build.

    The published schema holds one view per mart, and the view `current_build`, which says which build is published. Several
    views cannot be replaced in one step. Therefore each view is first altered to read `current_build`, and to show either the
    previous build or the new one. Then one statement alters `current_build`, and all views change over together. A query that
    is already planned keeps reading the build that it was planned for.
#}
{#
    Publishes the marts of a build. It can be repeated.

    published_schema   the schema that readers query
    build_id           the build's id
    tables             the table of each mart in the build's schema
    written            the folder of each table that DuckDB wrote for this publication
#}
{% macro publish_marts(published_schema, build_id, tables, written) -%}
    {%- set schema = target.schema ~ "_marts" -%}
    {%- for table, folder in written.items() -%}
        {%- do run_query(
            "create table "
            ~ schema
            ~ "."
            ~ table
            ~ " using parquet location 'file://"
            ~ in_spark_literal(folder)
            ~ "'"
        ) -%}
    {%- endfor -%}
    {%- set columns = {} -%}
    {%- for mart, table in tables.items() -%}
        {%- do columns.update({mart: columns_of(schema ~ "." ~ table)}) -%}
    {%- endfor -%}

    {%- do run_query("create schema if not exists " ~ published_schema) -%}
    {%- set views = run_query("show views in " ~ published_schema).rows | map(attribute=1) | list -%}
    {%- set previous = published_build(published_schema) if "current_build" in views else none -%}
    {%- if previous and previous.build_id != build_id -%}
        {%- set previous_tables = published_tables(previous.schema) -%}
        {%- for mart, table in tables.items() -%}
            {%- set current = "(select build_id from " ~ published_schema ~ ".current_build)" -%}
            {%- set selects = [
                "select " ~ columns[mart]
                | join(", ")
                ~ " from "
                ~ schema
                ~ "."
                ~ table
                ~ " where "
                ~ current
                ~ " = '"
                ~ build_id
                ~ "'"
            ] -%}
            {%- if mart in previous_tables -%}
                {%- set previous_table = previous.schema ~ "." ~ previous_tables[mart] -%}
                {%- set previous_columns = columns_of(previous_table) -%}
                {%- set select_list = [] -%}
                {%- for column in columns[mart] -%}
                    {%- do select_list.append(column if column in previous_columns else "null as " ~ column) -%}
                {%- endfor -%}
                {%- do selects.append(
                    "select " ~ select_list
                    | join(", ")
                    ~ " from "
                    ~ previous_table
                    ~ " where "
                    ~ current
                    ~ " = '"
                    ~ previous.build_id
                    ~ "'"
                ) -%}
            {%- endif -%}
            {%- do create_or_alter_view(published_schema, mart, selects | join(" union all "), views) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- do create_or_alter_view(
        published_schema,
        "current_build",
        "select '" ~ build_id ~ "' as build_id, '" ~ schema ~ "' as build_schema",
        views,
    ) -%}
    {%- for mart, table in tables.items() -%}
        {%- do create_or_alter_view(
            published_schema,
            mart,
            "select " ~ columns[mart] | join(", ") ~ " from " ~ schema ~ "." ~ table,
            views,
        ) -%}
    {%- endfor -%}

    {#- Drops the views of tables that this build no longer has. -#}
    {%- if previous -%}
        {%- for mart in published_tables(previous.schema) if mart in views and mart not in tables -%}
            {%- do run_query("drop view " ~ published_schema ~ "." ~ mart) -%}
        {%- endfor -%}
    {%- endif -%}

    {#- Drops the tables that DuckDB wrote for an earlier publication of the same build. -#}
    {%- for row in run_query("show tables in " ~ schema).rows -%}
        {%- if "__" in row[1] and row[1] not in written -%}
            {%- do run_query("drop table " ~ schema ~ "." ~ row[1]) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}


{# Creates or alters a view. `create or replace` would drop an existing view first, and readers would miss it. #}
{% macro create_or_alter_view(published_schema, name, query, views) -%}
    {%- do run_query(
        ("alter" if name in views else "create") ~ " view " ~ published_schema ~ "." ~ name ~ " as " ~ query
    ) -%}
    {%- if name not in views -%} {%- do views.append(name) -%} {%- endif -%}
{%- endmacro %}


{# The build that is published, from the view `current_build`. #}
{% macro published_build(published_schema) -%}
    {%- set row = run_query("select build_id, build_schema from " ~ published_schema ~ ".current_build").rows[0] -%}
    {{ return({"build_id": row[0], "schema": row[1]}) }}
{%- endmacro %}


{# The table of each mart of a published build: `<mart>__<publication>`, which DuckDB wrote, if there is one, else `<mart>`. #}
{% macro published_tables(schema) -%}
    {%- set tables = {} -%}
    {%- for row in run_query("show tables in " ~ schema).rows -%}
        {%- set mart = row[1].split("__")[0] -%}
        {%- if mart not in tables or "__" in row[1] -%} {%- do tables.update({mart: row[1]}) -%} {%- endif -%}
    {%- endfor -%}
    {{ return(tables) }}
{%- endmacro %}


{% macro columns_of(table) -%}
    {{ return(run_query("describe table " ~ table).rows | map(attribute=0) | list) }}
{%- endmacro %}


{# Drops the schemas of a build from Spark's catalogue: its working tables, and with `marts` its marts. The files stay. #}
{% macro drop_build(marts) -%}
    {%- for part in ["lake", "work"] + (["marts"] if marts else []) -%}
        {%- do run_query("drop schema if exists " ~ target.schema ~ "_" ~ part ~ " cascade") -%}
    {%- endfor -%}
{%- endmacro %}
