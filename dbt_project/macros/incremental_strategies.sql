{#
    Incremental strategy of the `*_this_run` models with a `row_version`. The previous rows of the first attempt of a run
    must outlive every repeat; the current rows of the last attempt replace the earlier ones.
#}
{% macro get_incremental_replace_current_versions_sql(arguments) -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
    delete from {{ arguments.target_relation }} where row_version = 'current';

    insert into {{ arguments.target_relation }} ({{ columns }})
    select {{ columns }} from {{ arguments.temp_relation }}
{%- endmacro %}


{#
    Incremental strategy of the stateful models: it deletes the rows with a changed key and inserts the rows of the model's
    query. `meta.changed_keys` names the `*_this_run` models and the columns of their keys, which have the same names on both
    sides. `meta.time_column` names a timestamp of the row that is null or lies within the period of a changed campaign;
    `meta.periods` names the model of these periods, if it is not `campaign_periods_this_run`.
#}
{% macro get_incremental_replace_changed_keys_sql(arguments) -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
    {%- set meta = config.get('meta') -%}
    {%- set time_column = 'stored.' ~ meta.time_column if meta.time_column else none -%}
    {#- Two statements: with an `or` in the condition DuckDB would read every row. -#}
    {%- set conditions = [within_periods_this_run(time_column, meta.periods or 'campaign_periods_this_run'), time_column ~ ' is null'] if time_column else ['true'] -%}
    {%- for name, key in meta.changed_keys.items() %}
    {%- for condition in conditions %}
    delete from {{ arguments.target_relation }} as stored
    using (select distinct {{ key | join(', ') }} from {{ previous_relation(name) }}) as changed
    where
        {{ condition }}
        {%- for column in key %}
        and stored.{{ column }} = changed.{{ column }}
        {%- endfor %};
    {% endfor %}
    {%- endfor %}
    insert into {{ arguments.target_relation }} ({{ columns }})
    select {{ columns }} from {{ arguments.temp_relation }}
{%- endmacro %}
