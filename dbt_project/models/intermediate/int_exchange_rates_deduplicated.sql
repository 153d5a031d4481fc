{# Only rates into the reporting currency are used. A rate without a base currency is one of them. -#}
{{
    config(
        meta={
            "changed_keys": {"exchange_rates_this_run": ["currency", "rate_date"]},
            "deduplication": dict(deduplication("exchange_rates"), where=is_rate_into_reporting_currency()),
        }
    )
}}

-- depends_on: {{ ref('exchange_rates_this_run') }}
{% if is_incremental() %}

    select {{ deduplicated_columns("exchange_rates") | join(", ") }}
    from {{ ref("exchange_rates_this_run") }}
    where row_version = 'current'

{% else %}
    {{ deduplicated("exchange_rates", ref("stg_logs__exchange_rates"), where=is_rate_into_reporting_currency()) }}

{% endif %}
