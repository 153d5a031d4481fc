{#
    `on-run-start`: dbt runs this before the models of `dbt build`, `run`, `test` and `seed`.

    A run that is not a refresh removes the build identity of the files that it opens. If these are the files of the refresh,
    the next refresh then builds them in full (`warehouse/transform/candidate.py`).
#}
{% macro start_run() -%}
    {%- if execute and target.type == "duckdb" -%}
        {%- if target.name == "dev" -%} {%- do start_dev_run() -%} {%- endif -%}
        {%- if not env_var("SENDMART_DBT_IS_REFRESH", "") -%}
            {%- for database in [target.database, "candidate"] -%}
                {%- do run_query("create schema if not exists " ~ database ~ ".internal") -%}
                {%- do run_query("drop table if exists " ~ database ~ ".internal.build_identity") -%}
            {%- endfor -%}
            {%- if invocation_args_dict.which == "run" -%} {%- do load_missing_seeds() -%} {%- endif -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{#
    `dbt run` does not load seeds. Those of the insights are missing in the files of a refresh without insights, too.
#}
{% macro load_missing_seeds() -%}
    {%- for seed in graph.nodes.values() | selectattr("resource_type", "equalto", "seed") -%}
        {%- do run_query("create schema if not exists " ~ seed.schema) -%}
        {%- do run_query(
            "create table if not exists "
            ~ seed.schema
            ~ "."
            ~ seed.alias
            ~ " as from read_csv('"
            ~ (seed.root_path ~ "/" ~ seed.original_file_path)
            | replace("'", "''") ~ "', header = true, all_varchar = true)"
        ) -%}
    {%- endfor -%}
{%- endmacro %}


{#
    Before a run in the target `dev`: checks that there is a lake, creates an empty change feed, and makes sure that
    incremental models do not miss a change of the lake. Their tables are dropped if the lake has changed since they were
    built, so that this run builds them in full.
#}
{% macro start_dev_run() -%}
    {%- set patterns = [] -%}
    {%- for log in graph.sources.values() | selectattr("source_name", "equalto", "logs") -%}
        {#- The first argument of read_parquet, already quoted as SQL. -#}
        {%- do patterns.append((source("logs", log.name) | string).split("read_parquet('")[1].split("',")[0]) -%}
    {%- endfor -%}
    {%- for pattern in patterns -%}
        {%- if run_query("select 1 from glob('" ~ pattern ~ "') limit 1") | length == 0 -%}
            {{
                exceptions.raise_compiler_error(
                    "There is no lake at " ~ pattern.rsplit("/", 3)[0] ~ ". Run `make refresh` first."
                )
            }}
        {%- endif -%}
    {%- endfor -%}

    {%- do run_query("create schema if not exists changes") -%}
    {%- for log in graph.sources.values() | selectattr("source_name", "equalto", "logs") -%}
        {%- set columns = [] -%}
        {%- for column in log.columns.values() -%}
            {%- do columns.append("cast(null as " ~ column.data_type ~ ") as " ~ column.name) -%}
        {%- endfor -%}
        {%- do run_query(
            "create or replace view " ~ source("changes", log.name) ~ " as select " ~ columns
            | join(", ") ~ ", cast(null as string) as change where false"
        ) -%}
    {%- endfor -%}

    {#- For unit tests: macros/get_fixture_sql.sql. -#}
    {%- set declared = [] -%}
    {%- for node in graph.nodes.values() | selectattr("resource_type", "equalto", "model") -%}
        {%- for column in node.columns.values() if column.data_type -%}
            {%- do declared.append("('" ~ node.alias ~ "', '" ~ column.name ~ "', '" ~ column.data_type ~ "')") -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- do run_query("create schema if not exists internal") -%}
    {%- do run_query(
        "create or replace table internal.declared_columns as select * from (values " ~ declared
        | join(", ") ~ ") as declared (model, column_name, data_type)"
    ) -%}

    {%- set lake_state = run_query(
        "select cast(bit_xor(hash(filename, size, last_modified)) as string) from read_blob(['" ~ patterns
        | join("', '") ~ "'])"
    ).rows[0][0] -%}
    {%- do run_query("create table if not exists internal.dev_lake (state string)") -%}
    {%- set built_from = run_query("select state from internal.dev_lake").rows | map(attribute=0) | list -%}
    {%- for id in selected_resources if id in graph.nodes -%}
        {%- for parent in graph.nodes[id].depends_on.nodes if parent.startswith("model.") and parent not in selected_resources -%}
            {%- set model = graph.nodes[parent] -%}
            {%- set relation = api.Relation.create(
                database=model.database, schema=model.schema, identifier=model.alias
            ) -%}
            {%- if load_cached_relation(relation) is none -%}
                {{
                    exceptions.raise_compiler_error(
                        "The target dev does not hold " ~ model.alias ~ " yet. Run `dbt build` first."
                    )
                }}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set is_whole_run = invocation_args_dict.which in ("build", "run") and not (
        invocation_args_dict.select or invocation_args_dict.exclude or invocation_args_dict.selector
    ) -%}
    {%- if built_from != [lake_state] and is_whole_run -%}
        {%- if built_from -%}
            {%- do log("The lake has changed since the last run: all models are built in full.", info=true) -%}
        {%- endif -%}
        {%- for node in graph.nodes.values() | selectattr("resource_type", "equalto", "model") -%}
            {%- set relation = load_cached_relation(
                api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias)
            ) -%}
            {%- if relation is not none and relation.type == "table" -%}
                {%- do adapter.drop_relation(relation) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- do run_query("delete from internal.dev_lake") -%}
        {%- do run_query("insert into internal.dev_lake values ('" ~ lake_state ~ "')") -%}
    {%- elif built_from and built_from != [lake_state] -%}
        {%- do exceptions.warn("The lake has changed since the last run. To build all models in full: `dbt build`") -%}
    {%- endif -%}
{%- endmacro %}
