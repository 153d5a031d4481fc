{#
    A currency that is missing in an exchange rates log that still arrives would be converted by its last rate for ever. Only
    the last 30 days are checked: an old gap that cannot be filled would warn for ever, too.
-#}
with
    orders as (select * from {{ ref("int_orders_converted") }} where revenue is not null),

    exchange_rates as (select * from {{ ref("int_exchange_rates_deduplicated") }}),

    last_rate as (select max(rate_date) as rate_date from exchange_rates),

    conversions as (

        select
            'orders' as kind,
            order_id as id,
            currency,
            revenue as amount,
            exchange_rate_date as rate_date,
            ordered_at as converted_at
        from orders
        where currency <> '{{ var("reporting_currency") }}'
        {%- if var("insights") %}

            union all

            select
                'messages' as kind,
                messages.message_id as id,
                messages.cost_currency as currency,
                cast(null as decimal(18, 6)) as amount,
                exchange_rate_periods.rate_date,
                messages.sent_at as converted_at
            from {{ ref("int_messages_resolved") }} as messages
            inner join
                (
                    select
                        currency,
                        rate_date,
                        lead(rate_date, 1, cast('9999-12-31' as date)) over (
                            partition by currency order by rate_date
                        ) as valid_until
                    from exchange_rates
                ) as exchange_rate_periods
                on messages.cost_currency = exchange_rate_periods.currency
                and cast(messages.sent_at as date) >= exchange_rate_periods.rate_date
                and cast(messages.sent_at as date) < exchange_rate_periods.valid_until
            where
                messages.is_sent
                and messages.cost is not null
                and messages.cost_currency <> '{{ var("reporting_currency") }}'
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

        select
            old_conversions.kind,
            old_conversions.currency,
            count(*) as conversions,
            {%- if var("insights") %} sum(coalesce(old_conversions.amount, messages.cost)) as amount,
            {%- else %} sum(old_conversions.amount) as amount,
            {%- endif %}
            min(old_conversions.rate_date) as oldest_rate_date
        from old_conversions
        {%- if var("insights") %}
            left join
                {{ ref("int_messages_enriched") }} as messages
                on old_conversions.kind = 'messages'
                and old_conversions.id = messages.message_id
        {%- endif %}
        group by old_conversions.kind, old_conversions.currency

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
