{#
    Incremental builds. The models in `models/this_run/` hold the rows that this run changes. Then each stateful model
    deletes the rows with changed keys and inserts their current rows. A run that was killed can be repeated: it changes the
    same keys again, because a change of the lake stays open until a build has finished, and the previous rows of every
    attempt stay in the `*_this_run` models until then.
#}
{#
    The table of a stateful model as the last run left it; none if this run builds it in full. It is not read with `ref`,
    because the stateful model depends on the `*_this_run` models and not the reverse. In a unit test it is an input.
#}
{% macro previous_relation(name) -%}
    {%- if not execute -%} {{ return(none) }}
    {%- elif model.resource_type == "unit_test" -%} {{ return(ref(name)) }}
    {%- elif flags.FULL_REFRESH -%} {{ return(none) }}
    {%- endif -%}
    {%- set node = (
        graph.nodes.values()
        | selectattr("resource_type", "equalto", "model")
        | selectattr("name", "equalto", name)
        | first
    ) -%}
    {{
        return(
            load_cached_relation(
                api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias, type="table")
            )
        )
    }}
{%- endmacro %}


{# Whether this run removes rows of a log. Only then are the rows of the changed keys read from the lake again. #}
{% macro has_removed_rows(log) -%}
    {%- if not execute -%} {{ return(false) }} {%- endif -%}
    {%- set removed = run_query("select 1 from " ~ source("changes", log) ~ " where change = 'removed' limit 1") -%}
    {{ return(removed | length > 0) }}
{%- endmacro %}


{#
    A condition on a timestamp. It holds for every message of a campaign that changed in this run, and for the last message
    of each contact of the campaign: their timestamps lie within the campaign's period. In tables that are sorted by time,
    DuckDB then skips most of a long history: the first and the last timestamp of all periods rule out whole row groups, the
    single periods rule out the rows between them. A unit test has no stored periods.

    periods       the model that holds the periods
    hours_before  the condition also holds for this many hours before each period
#}
{% macro within_periods_this_run(time_column, periods="campaign_periods_this_run", hours_before=0) -%}
    {%- if not execute or model.resource_type == "unit_test" -%} {{ return("true") }} {%- endif -%}
    {%- set periods = run_query(
        "select cast("
        ~ ("valid_from - interval " ~ hours_before ~ " hours" if hours_before else "valid_from")
        ~ " as string), cast(valid_until as string) from "
        ~ previous_relation(periods)
        ~ " order by valid_from"
    ) -%}
    {%- if periods.rows | length == 0 -%} {{ return("false") }} {%- endif -%}
    {%- set conditions = [] -%}
    {%- for period in periods.rows -%}
        {%- do conditions.append(
            time_column ~ " between timestamp '" ~ period[0] ~ "' and timestamp '" ~ period[1] ~ "'"
        ) -%}
    {%- endfor -%}
    {{
        return(
            "("
            ~ time_column
            ~ " between timestamp '"
            ~ periods.rows[0][0]
            ~ "' and timestamp '"
            ~ periods.rows[-1][1]
            ~ "' and ("
            ~ conditions
            | join(" or ") ~ "))"
        )
    }}
{%- endmacro %}


{#
    The last common table expressions of a model of periods; the first is `campaign_periods` (campaign_id, first_message_at,
    last_message_at), which the caller defines. Periods with one day or less between them become one period.
#}
{% macro merged_periods() -%}
    campaign_periods_ordered as (

        select
            first_message_at,
            last_message_at,
            max(last_message_at) over (
                order by first_message_at, last_message_at rows between unbounded preceding and 1 preceding
            ) as previous_last_message_at
        from campaign_periods

    ),

    campaign_periods_numbered as (

        select
            first_message_at,
            last_message_at,
            sum(
                case when first_message_at <= {{ dbt.dateadd("day", 1, "previous_last_message_at") }} then 0 else 1 end
            ) over (order by first_message_at, last_message_at rows between unbounded preceding and current row)
            as period_number
        from campaign_periods_ordered

    )

    select min(first_message_at) as valid_from, max(last_message_at) as valid_until
    from campaign_periods_numbered
    group by period_number
{%- endmacro %}


{#
    A condition on a timestamp: it is less than 30 days older than the last message that this run changes. Models whose
    result mostly depends on recent messages read the rest of the history only where they need it. No figure depends on the
    number of days; 30 days, because most contacts get a message at least once a month. A unit test has no stored periods:
    every message is recent there.
#}
{% macro is_recent(time_column) -%}
    {%- if not execute or model.resource_type == "unit_test" -%} {{ return("true") }} {%- endif -%}
    {%- set since = run_query(
        "select cast("
        ~ dbt.dateadd("day", -30, "max(valid_until)")
        ~ " as string) from "
        ~ previous_relation("campaign_periods_this_run")
    ).rows[0][0] -%}
    {{ return(time_column ~ " >= timestamp '" ~ since ~ "'" if since else "true") }}
{%- endmacro %}


{#
    The rows of a deduplicated log that this run changes: the previous rows and the current rows (`row_version`).

    A stored row competes with the rows that were added, unless rows of its key were removed. Then all rows of that key are
    read from the lake again.

    log                the log
    deduplicated_model the name of the model that holds the log's deduplicated rows
    where              a condition on the rows of the log that count
#}
{% macro rows_this_run(log, deduplicated_model, where="true") -%}
    {%- set rule = deduplication(log) -%}
    {%- set columns = deduplicated_columns(log) | join(", ") -%}
    {%- set columns_of_log = columns_to_deduplicate(log) -%}
    {%- set key = rule.key | join(", ") -%}
    {%- set stored_rows = previous_relation(deduplicated_model) -%}
    {%- set lake = ref("stg_logs__" ~ log) -%}
    {%- if stored_rows is none %}
        select cast('current' as string) as row_version, {{ columns_of_log }}
        from {{ source("changes", log) }}
        where false
    {%- else %}
        with
            changes as (select * from {{ source("changes", log) }} where {{ where }}),

            changed_keys as (

                select {{ key }}, bool_or(change = 'removed') as is_removed from changes group by {{ key }}

            ),

            removed_keys as (select {{ key }} from changed_keys where is_removed),

            previous_rows as ({{ rows_with_key(stored_rows, rule.key, "changed_keys") | indent(4) }}),

            candidates as (

                select {{ columns_of_log }}
                from changes
                where change = 'added'

                union all

                select {{ columns }}
                from previous_rows
                anti join removed_keys using ({{ key }})
                {%- if has_removed_rows(log) %}

                    union all

                    select {{ columns_of_log }}
                    from {{ lake }}
                    semi join removed_keys using ({{ key }})
                    where {{ where }}
                {%- endif %}

            ),

            current_rows as ({{ deduplicated(log, "candidates", log_date="first_log_date") | indent(4) }})

        select 'previous' as row_version, {{ columns }}
        from previous_rows

        union all

        select 'current' as row_version, {{ columns }}
        from current_rows
    {%- endif %}
{%- endmacro %}


{#
    Common table expressions for a `*_this_run` model; the last is `changed_exchange_rate_periods` (currency, valid_from,
    valid_until): the days on which another rate may apply in this run. A rate holds from its date until the next rate of its
    currency.
#}
{% macro changed_exchange_rate_periods(rates_this_run, rates) -%}
    exchange_rates_this_run as (select distinct currency, rate_date from {{ rates_this_run }}),

    exchange_rates as (select * from {{ rates }}),

    changed_exchange_rate_periods as (

        select
            exchange_rates_this_run.currency,
            exchange_rates_this_run.rate_date as valid_from,
            coalesce(min(exchange_rates.rate_date), cast('9999-12-31' as date)) as valid_until
        from exchange_rates_this_run
        left join
            exchange_rates
            on exchange_rates_this_run.currency = exchange_rates.currency
            and exchange_rates_this_run.rate_date < exchange_rates.rate_date
        group by exchange_rates_this_run.currency, exchange_rates_this_run.rate_date

    )
{%- endmacro %}
