{#
    Publication on Spark: operations that a refresh runs, each with the names of one build.

    The published schema holds a view a mart, and `current_build`, a view that says which build is published. Views cannot be
    exchanged together, so they are first made to ask `current_build`: each can show the build before and the new one. The
    one statement that alters `current_build` then changes them all. A query keeps to what it found when it was planned.
#}


{#
    Makes the marts of a build those that are published; repeated at will.

    published_schema   where readers look
    build_id           the build's id
    tables             by mart, its table in the build's schema
    written            of those tables that DuckDB wrote for this publication, the folder of each
#}
{% macro publish_marts(published_schema, build_id, tables, written) -%}
    {%- set schema = target.schema ~ '_marts' -%}
    {%- for table, folder in written.items() -%}
        {%- do run_query(
            'create table ' ~ schema ~ '.' ~ table ~ " using parquet location 'file://" ~ in_spark_literal(folder) ~ "'"
        ) -%}
    {%- endfor -%}
    {%- set columns = {} -%}
    {%- for mart, table in tables.items() -%}
        {%- do columns.update({mart: columns_of(schema ~ '.' ~ table)}) -%}
    {%- endfor -%}

    {%- do run_query('create schema if not exists ' ~ published_schema) -%}
    {%- set views = run_query('show views in ' ~ published_schema).rows | map(attribute=1) | list -%}
    {%- set before = published_before(published_schema) if 'current_build' in views else none -%}
    {%- if before and before.build_id != build_id -%}
        {%- set tables_before = published_tables(before.schema) -%}
        {%- for mart, table in tables.items() -%}
            {%- set current = '(select build_id from ' ~ published_schema ~ '.current_build)' -%}
            {%- set either = ['select ' ~ columns[mart] | join(', ') ~ ' from ' ~ schema ~ '.' ~ table
                ~ ' where ' ~ current ~ " = '" ~ build_id ~ "'"] -%}
            {%- if mart in tables_before -%}
                {%- set table_before = before.schema ~ '.' ~ tables_before[mart] -%}
                {%- set columns_before = columns_of(table_before) -%}
                {%- set shown = [] -%}
                {%- for column in columns[mart] -%}
                    {%- do shown.append(column if column in columns_before else 'null as ' ~ column) -%}
                {%- endfor -%}
                {%- do either.append('select ' ~ shown | join(', ') ~ ' from ' ~ table_before
                    ~ ' where ' ~ current ~ " = '" ~ before.build_id ~ "'") -%}
            {%- endif -%}
            {%- do show_as(published_schema, mart, either | join(' union all '), views) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- do show_as(
        published_schema, 'current_build',
        "select '" ~ build_id ~ "' as build_id, '" ~ schema ~ "' as build_schema", views
    ) -%}
    {%- for mart, table in tables.items() -%}
        {%- do show_as(
            published_schema, mart, 'select ' ~ columns[mart] | join(', ') ~ ' from ' ~ schema ~ '.' ~ table, views
        ) -%}
    {%- endfor -%}

    {#- What an earlier publication of the same build was given by DuckDB. -#}
    {%- for row in run_query('show tables in ' ~ schema).rows -%}
        {%- if '__' in row[1] and row[1] not in written -%}
            {%- do run_query('drop table ' ~ schema ~ '.' ~ row[1]) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}


{# Has a view show a query. One that is there is altered: `create or replace` drops it first, and readers would miss it. #}
{% macro show_as(published_schema, name, query, views) -%}
    {%- do run_query(
        ('alter' if name in views else 'create') ~ ' view ' ~ published_schema ~ '.' ~ name ~ ' as ' ~ query
    ) -%}
    {%- if name not in views -%}
        {%- do views.append(name) -%}
    {%- endif -%}
{%- endmacro %}


{# What `current_build` says. #}
{% macro published_before(published_schema) -%}
    {%- set row = run_query('select build_id, build_schema from ' ~ published_schema ~ '.current_build').rows[0] -%}
    {{ return({'build_id': row[0], 'schema': row[1]}) }}
{%- endmacro %}


{# By mart, the table of a build that was published: what DuckDB wrote for that, `<mart>__<publication>`, before its own. #}
{% macro published_tables(schema) -%}
    {%- set found = {} -%}
    {%- for row in run_query('show tables in ' ~ schema).rows -%}
        {%- set mart = row[1].split('__')[0] -%}
        {%- if mart not in found or '__' in row[1] -%}
            {%- do found.update({mart: row[1]}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}


{% macro columns_of(table) -%}
    {{ return(run_query('describe table ' ~ table).rows | map(attribute=0) | list) }}
{%- endmacro %}


{# Drops what Spark knows of a build: its working tables, and with `marts` the marts as well. Their files are not its own. #}
{% macro forget_build(marts) -%}
    {%- for part in ['lake', 'work'] + (['marts'] if marts else []) -%}
        {%- do run_query('drop schema if exists ' ~ target.schema ~ '_' ~ part ~ ' cascade') -%}
    {%- endfor -%}
{%- endmacro %}
