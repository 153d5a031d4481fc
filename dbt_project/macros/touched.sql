{#
    Incremental builds: what a run touches is put into small relations first (`models/touched/`), and then each stateful
    model is brought up to date by key: rows of touched keys go, what they are now comes. A run that was killed half-way
    is simply repeated: it touches the same keys again, since a change of the lake stays open until a build has finished,
    and what rows were before any of its tries stays in the touched relations until then.
#}


{#
    The table of a stateful model as the run before left it; none where it is to be built in full. Not `ref`: the model
    depends on what it touches, not the reverse. A unit test gives it as an input.
#}
{% macro state_of(name) -%}
    {%- if not execute or flags.FULL_REFRESH -%}
        {{ return(none) }}
    {%- elif model.resource_type == 'unit_test' -%}
        {{ return(ref(name)) }}
    {%- endif -%}
    {%- set node = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
        | selectattr('name', 'equalto', name) | first -%}
    {{ return(load_cached_relation(api.Relation.create(
        database=node.database, schema=node.schema, identifier=node.alias, type='table'
    ))) }}
{%- endmacro %}


{# Whether this run takes rows of a log away: then, and only then, the lake is read again, for their keys. #}
{% macro takes_away(log) -%}
    {%- if not execute -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set found = run_query("select 1 from " ~ source('changes', log) ~ " where change = 'removed' limit 1") -%}
    {{ return(found | length > 0) }}
{%- endmacro %}


{#
    A condition that holds for every message of a touched campaign, and every contact's last one: its moment lies within
    the time of such a campaign. In tables in order of time, most of a long history is passed over by it, unread: by the
    first and last moment of all whole blocks are, by the single periods what lies between them. A unit test has nothing
    stored.
#}
{% macro within_touched_periods(moment) -%}
    {%- if not execute or model.resource_type == 'unit_test' -%}
        {{ return('true') }}
    {%- endif -%}
    {%- set periods = run_query(
        "select cast(valid_from as string), cast(valid_until as string) from " ~ state_of('touched_campaign_periods')
        ~ " order by valid_from"
    ) -%}
    {%- if periods.rows | length == 0 -%}
        {{ return('false') }}
    {%- endif -%}
    {%- set conditions = [] -%}
    {%- for period in periods.rows -%}
        {%- do conditions.append(
            moment ~ " between timestamp '" ~ period[0] ~ "' and timestamp '" ~ period[1] ~ "'"
        ) -%}
    {%- endfor -%}
    {{ return(
        "(" ~ moment ~ " between timestamp '" ~ periods.rows[0][0] ~ "' and timestamp '" ~ periods.rows[-1][1]
        ~ "' and (" ~ conditions | join(' or ') ~ "))"
    ) }}
{%- endmacro %}


{#
    Whether a message was sent lately, as seen from the last that this run touches. Where a question is mostly settled by
    what was sent lately, the rest of a long history, in order of time, is read only for what was not. Nothing depends on how
    long lately is: a month, since most contacts get a message more often. A unit test has nothing stored, and all is recent.
#}
{% macro is_recent(moment) -%}
    {%- if not execute or model.resource_type == 'unit_test' -%}
        {{ return('true') }}
    {%- endif -%}
    {%- set since = run_query(
        "select cast(" ~ dbt.dateadd('day', -30, 'max(valid_until)') ~ " as string) from "
        ~ state_of('touched_campaign_periods')
    ).rows[0][0] -%}
    {{ return(moment ~ " >= timestamp '" ~ since ~ "'" if since else 'true') }}
{%- endmacro %}


{#
    The rows of a deduplicated log that this run touches: as they were (`version` before) and as they are now.

    A row that was kept stays a candidate beside what has come, unless rows of its key were taken away: then the whole
    lake is asked for that key.
#}
{% macro touched_rows(log, state_name) -%}
{%- set rule = deduplication(log) -%}
{%- set columns = rule.columns | join(', ') -%}
{%- set key = rule.key | join(', ') -%}
{%- set state = state_of(state_name) -%}
{%- set lake = ref('stg_logs__' ~ log) -%}
{%- if state is none %}
select
    cast('now' as string) as version,
    {{ columns }}
from {{ source('changes', log) }}
where false
{%- else %}
with changes as (

    select *
    from {{ source('changes', log) }}
    where {{ rule.where or 'true' }}

),

touched_keys as (

    select
        {{ key }},
        bool_or(change = 'removed') as is_removed
    from changes
    group by {{ key }}

),

removed_keys as (

    select {{ key }} from touched_keys
    where is_removed

),

rows_before as (

    {{ rows_with_key(state, rule.key, 'touched_keys') | indent(4) }}

),

candidates as (

    select {{ columns }} from changes
    where change = 'added'

    union all

    select * from rows_before
    anti join removed_keys using ({{ key }})
    {%- if takes_away(log) %}

    union all

    select {{ columns }}
    from {{ lake }}
    semi join removed_keys using ({{ key }})
    where {{ rule.where or 'true' }}
    {%- endif %}

),

rows_now as (

    {{
        one_row_per_key(
            relation='candidates', key=rule.key, order_by=rule.order_by, columns=rule.columns
        ) | indent(4)
    }}

)

select
    'before' as version,
    *
from rows_before

union all

select
    'now' as version,
    *
from rows_now
{%- endif %}
{%- endmacro %}


{#
    Strategy of the touched relations. What a row was before the first try of this run must outlive every repeat; what it
    is now is known best by the last.
#}
{% macro get_incremental_accumulated_sql(arguments) -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
    delete from {{ arguments.target_relation }} where version = 'now';

    insert into {{ arguments.target_relation }} ({{ columns }})
    select {{ columns }} from {{ arguments.temp_relation }}
{%- endmacro %}


{#
    Strategy of the stateful models: rows whose key was touched go, rows of the model's query come. `meta.touched_by`
    names the touched relations, and for each the columns of the key, which have the same names on both sides.
    `meta.within` names a moment of the row that is null or within the period of a touched campaign.
#}
{% macro get_incremental_touched_sql(arguments) -%}
    {%- set columns = get_quoted_csv(arguments.dest_columns | map(attribute='name')) -%}
    {%- set moment = 'state.' ~ config.get('meta').within if config.get('meta').within else none -%}
    {#- Two statements rather than an `or`, which would have every row read. -#}
    {%- set places = [within_touched_periods(moment), moment ~ ' is null'] if moment else ['true'] -%}
    {%- for name, key in config.get('meta').touched_by.items() %}
    {%- for place in places %}
    delete from {{ arguments.target_relation }} as state
    using (select distinct {{ key | join(', ') }} from {{ state_of(name) }}) as touched
    where
        {{ place }}
        {%- for column in key %}
        and state.{{ column }} = touched.{{ column }}
        {%- endfor %};
    {% endfor %}
    {%- endfor %}
    insert into {{ arguments.target_relation }} ({{ columns }})
    select {{ columns }} from {{ arguments.temp_relation }}
{%- endmacro %}
