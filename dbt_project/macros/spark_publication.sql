{#
    Publication on Spark: operations that a refresh runs, each with the names of one build.

    The published schema holds a view a mart, and `current_build`, a view that says which build is published. Views cannot be
    exchanged together, so they are first made to ask `current_build`: each can show the build before and the new one. The
    one statement that changes `current_build` then changes them all. Spark reads a view's text when it plans a query, and
    plans it once: no query sees two builds.
#}


{#
    Makes the marts of a build those that are published; repeated at will.

    published_schema   where readers look
    build_id           the build's id
    tables             the names of its marts
    written            of those that DuckDB wrote: the folder of each, by name
#}
{% macro publish_marts(published_schema, build_id, tables, written) -%}
    {%- set schema = target.schema ~ '_marts' -%}
    {%- for name, folder in written.items() -%}
        {%- set table = schema ~ '.' ~ name ~ '_published' -%}
        {%- do run_query('drop table if exists ' ~ table) -%}
        {%- do run_query(
            'create table ' ~ table ~ " using parquet location '" ~ in_spark_literal(folder) ~ "'"
        ) -%}
    {%- endfor -%}

    {%- do run_query('create schema if not exists ' ~ published_schema) -%}
    {%- set before = published_before(published_schema) -%}
    {%- set views = {} -%}
    {%- for name in tables -%}
        {%- set table = schema ~ '.' ~ name ~ ('_published' if name in written else '') -%}
        {%- do views.update({name: columns_of_table(table) ~ ' from ' ~ table}) -%}
    {%- endfor -%}

    {%- if before and before.build_id != build_id -%}
        {%- for name in tables -%}
            {%- do run_query(
                'create or replace view ' ~ published_schema ~ '.' ~ name ~ ' as '
                ~ either_build(published_schema, before, build_id, name, views[name])
            ) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- do run_query(
        'create or replace view ' ~ published_schema ~ ".current_build as select '" ~ build_id ~ "' as build_id, '"
        ~ schema ~ "' as build_schema"
    ) -%}
    {%- for name in tables -%}
        {%- do run_query('create or replace view ' ~ published_schema ~ '.' ~ name ~ ' as select ' ~ views[name]) -%}
    {%- endfor -%}
{%- endmacro %}


{# What `current_build` says; none where nothing was published yet. #}
{% macro published_before(published_schema) -%}
    {%- if run_query('show views in ' ~ published_schema ~ " like 'current_build'").rows | length == 0 -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set row = run_query('select build_id, build_schema from ' ~ published_schema ~ '.current_build').rows[0] -%}
    {{ return({'build_id': row[0], 'schema': row[1]}) }}
{%- endmacro %}


{# A mart of the build before or of the new one, as `current_build` says; a column that only the new one has is null before. #}
{% macro either_build(published_schema, before, build_id, name, new) -%}
    {%- set current = '(select build_id from ' ~ published_schema ~ '.current_build)' -%}
    {%- set of_new = 'select ' ~ new ~ ' where ' ~ current ~ " = '" ~ build_id ~ "'" -%}
    {%- set old = adapter.get_relation(database=none, schema=before.schema, identifier=name ~ '_published')
        or adapter.get_relation(database=none, schema=before.schema, identifier=name) -%}
    {%- if old is none -%}
        {{ return(of_new) }}
    {%- endif -%}
    {%- set old_names = adapter.get_columns_in_relation(old) | map(attribute='name') | list -%}
    {%- set columns = [] -%}
    {%- for column in new.split(' from ')[0].split(', ') -%}
        {%- do columns.append(column if column in old_names else 'null as ' ~ column) -%}
    {%- endfor -%}
    {{ return(
        'select ' ~ columns | join(', ') ~ ' from ' ~ old ~ ' where ' ~ current ~ " = '" ~ before.build_id ~ "' union all "
        ~ of_new
    ) }}
{%- endmacro %}


{% macro columns_of_table(table) -%}
    {%- set found = run_query('describe table ' ~ table) -%}
    {{ return(found.rows | map(attribute=0) | join(', ')) }}
{%- endmacro %}


{# Drops what Spark knows of a build: its working tables, and with `marts` the marts as well. Their files are not its own. #}
{% macro forget_build(marts) -%}
    {%- for part in ['lake', 'work'] + (['marts'] if marts else []) -%}
        {%- do run_query('drop schema if exists ' ~ target.schema ~ '_' ~ part ~ ' cascade') -%}
    {%- endfor -%}
{%- endmacro %}
