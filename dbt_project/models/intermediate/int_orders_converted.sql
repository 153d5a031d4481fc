{# A view on DuckDB: an incremental build reads few orders at a time. On Spark, which computes all of them, a table. -#}
{{ config(materialized=incremental_or_table("view")) }}

with
    orders as (select * from {{ ref("int_orders_deduplicated") }} where status = 'placed'),

    exchange_rates as (select * from {{ ref("int_exchange_rates_deduplicated") }}),

    -- A rate holds until the next rate of its currency.
    exchange_rate_periods as (

        select
            currency,
            rate,
            rate_date,
            rate_date as valid_from,
            lead(rate_date, 1, cast('9999-12-31' as date)) over (
                partition by currency order by rate_date
            ) as valid_until
        from exchange_rates

    ),

    amounts as (

        select
            order_id,
            contact_id,
            ordered_at,
            cast(ordered_at as date) as ordered_date,
            currency,
            total,
            refunded_amount,
            cast(total - refunded_amount as decimal(18, 4)) as amount_kept
        from orders

    )

-- A revenue that does not fit is null, like one without a rate.
select
    amounts.order_id,
    amounts.contact_id,
    amounts.ordered_at,
    amounts.currency,
    amounts.total,
    amounts.refunded_amount,
    exchange_rate_periods.rate as exchange_rate,
    exchange_rate_periods.rate_date as exchange_rate_date,
    case
        when amounts.currency = '{{ var("reporting_currency") }}'
        then cast(round(amounts.amount_kept, 2) as decimal(18, 2))
        else {{ converted_amount("amounts.amount_kept", "exchange_rate_periods.rate") | indent(8) }}
    end as revenue
from amounts
left join
    exchange_rate_periods
    on amounts.currency = exchange_rate_periods.currency
    and amounts.ordered_date >= exchange_rate_periods.valid_from
    and amounts.ordered_date < exchange_rate_periods.valid_until
