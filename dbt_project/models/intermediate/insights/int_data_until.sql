{# A table: it has one row. If this run removes rows, the latest log date is looked for in the whole lake again. -#}
{{ config(materialized="table") }}

{%- set logs = ["campaigns", "clicks", "exchange_rates", "orders", "receipts", "sends", "unsubscribes"] -%}
{%- set stored = previous_relation("int_data_until") -%}
{%- set removed = [] -%}
{%- for log in logs if stored is not none -%}
    {%- if has_removed_rows(log) -%} {%- do removed.append(log) -%} {%- endif -%}
{%- endfor -%}
{%- set is_added_to = stored is not none and not removed %}

with
    log_dates as (

        {% if is_added_to %}
            select data_until as log_date
            from {{ stored }}
            union all
        {% endif -%}
        {%- for log in logs %}
            select max(log_date) as log_date
            from
                {{ source("changes", log) if is_added_to else ref("stg_logs__" ~ log) }}
                {{ "union all" if not loop.last }}
        {%- endfor %}

    ),

    latest as (select max(log_date) as data_until from log_dates)

select data_until, cast(data_until as timestamp) + interval 1 day as ends_at
from latest
