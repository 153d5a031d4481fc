{# Only rates into the reporting currency can be used; a rate without a base is one. -#}
{{
    one_row_per_key(
        relation=ref('stg_logs__exchange_rates'),
        where="coalesce(base_currency, '" ~ var('reporting_currency') ~ "') = '" ~ var('reporting_currency') ~ "'",
        key=['currency', 'rate_date'],
        order_by=[
            'rate desc',
            'base_currency desc nulls last',
        ],
        columns=[
            'currency',
            'rate_date',
            'rate',
        ],
    )
}}
