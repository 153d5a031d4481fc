{# A table: it has one row. -#}
{{ config(materialized="table") }}

with
    log_dates as (

        {%- for log in ["campaigns", "clicks", "exchange_rates", "orders", "receipts", "sends", "unsubscribes"] %}
            select max(log_date) as log_date from {{ ref("stg_logs__" ~ log) }} {{ "union all" if not loop.last }}
        {%- endfor %}

    ),

    latest as (select max(log_date) as data_until from log_dates)

select data_until, cast(data_until as timestamp) + interval 1 day as ends_at
from latest
