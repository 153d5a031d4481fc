{#
    A currency that is missing in an exchange rates log that still arrives would be converted by its last rate for ever. Only
    the last 30 days are checked: an old gap that cannot be filled would warn for ever, too.
-#}
with
    orders as (select * from {{ ref("int_orders_converted") }} where revenue is not null),

    last_rate as (select max(rate_date) as rate_date from {{ ref("int_exchange_rates_deduplicated") }}),

    conversions as (

        select
            'orders' as kind, currency, revenue as amount, exchange_rate_date as rate_date, ordered_at as converted_at
        from orders
        where currency <> '{{ var("reporting_currency") }}'
        {%- if var("insights") %}

            union all

            select
                'messages' as kind,
                cost_currency as currency,
                cost as amount,
                cost_rate_date as rate_date,
                sent_at as converted_at
            from {{ ref("int_messages_enriched") }}
            where cost_rate_date is not null
        {%- endif %}

    ),

    old_conversions as (

        select conversions.*
        from conversions
        cross join last_rate
        where
            conversions.rate_date
            < cast(conversions.converted_at as date) - interval {{ var("max_rate_age_days") }} days
            and cast(conversions.converted_at as date) > last_rate.rate_date - interval 30 days

    ),

    counted as (

        select kind, currency, count(*) as conversions, sum(amount) as amount, min(rate_date) as oldest_rate_date
        from old_conversions
        group by kind, currency

    )

select
    currency,
    currency
    || ' '
    || kind
    || ': '
    || cast(conversions as string)
    || ', '
    || cast(cast(amount as decimal(38, 2)) as string)
    || ' {{ var("reporting_currency") }} in all, oldest rate '
    || cast(oldest_rate_date as string) as problem
from counted
