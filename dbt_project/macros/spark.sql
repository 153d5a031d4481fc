{# What only Spark needs around the models. A refresh runs the macros without a double underscore as operations. #}
{#
    Before a build: creates an external table for each log of the lake, with the columns that the sources declare. A source
    is then a table like any other and keeps its lineage. Every worker must be able to read the folder `lake_path`.
#}
{% macro create_lake_tables() -%}
    {%- if execute -%}
        {%- for log in graph.sources.values() | selectattr("source_name", "equalto", "logs") -%}
            {%- set columns = [] -%}
            {%- for column in log.columns.values() -%}
                {#- Files of releases up to 0.3 hold decimal(18,2). Spark reads both types as one that is wide enough. -#}
                {%- set data_type = "decimal(20,4)" if column.data_type == "decimal(18,4)" else column.data_type -%}
                {%- do columns.append(column.name ~ " " ~ data_type) -%}
            {%- endfor -%}
            {%- set table = log.schema ~ "." ~ log.identifier -%}
            {%- do run_query("create schema if not exists " ~ log.schema) -%}
            {%- do run_query("drop table if exists " ~ table) -%}
            {%- do run_query(
                "create table " ~ table ~ " (" ~ columns
                | join(", ")
                ~ ") using parquet partitioned by (log_date) location 'file://"
                ~ in_spark_literal(var("lake_path") ~ "/" ~ log.name)
                ~ "'"
            ) -%}
            {%- do run_query("msck repair table " ~ table) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}


{# Escapes a text for a string literal of Spark, in which a backslash is an escape character. #}
{% macro in_spark_literal(text) -%} {{ return(text | replace("\\", "\\\\") | replace("'", "\\'")) }} {%- endmacro %}


{# Loads the rows of a seed. dbt-spark itself, in a session, would write an empty cell as the word None. #}
{% macro spark__load_csv_rows(model, agate_table) -%}
    {%- set types = model.config.column_types -%}
    {%- set rows = [] -%}
    {%- for row in agate_table.rows -%}
        {%- set cells = [] -%}
        {%- for name in agate_table.column_names -%}
            {%- set cell = "null" if row[name] is none else "'" ~ in_spark_literal(row[name] | string) ~ "'" -%}
            {%- do cells.append("cast(" ~ cell ~ " as " ~ types[name] ~ ")") -%}
        {%- endfor -%}
        {%- do rows.append("(" ~ cells | join(", ") ~ ")") -%}
    {%- endfor -%}
    {%- if rows -%} {%- do run_query("insert into " ~ this ~ " values " ~ rows | join(", ")) -%} {%- endif -%}
    {{ return("") }}
{%- endmacro %}
