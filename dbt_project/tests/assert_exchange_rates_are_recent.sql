{#
    A currency that is missing in an exchange rates log that still arrives would be converted by its last rate for ever. Only
    the last 30 days are checked: an old gap that cannot be filled would warn for ever, too.
-#}
with
    orders as (select * from {{ ref("int_orders_converted") }} where revenue is not null),

    exchange_rates as (select * from {{ ref("int_exchange_rates_deduplicated") }}),

    last_rate as (select max(rate_date) as rate_date from exchange_rates),

    {% if var("insights") -%}
        messages as (

            select *
            from {{ ref("int_messages_resolved") }}
            where is_sent and cost is not null and cost_currency <> '{{ var("reporting_currency") }}'

        ),

        exchange_rate_periods as (

            select
                currency,
                rate_date,
                lead(rate_date, 1, cast('9999-12-31' as date)) over (
                    partition by currency order by rate_date
                ) as valid_until
            from exchange_rates

        ),

        -- Days are few: messages are not joined with rates.
        cost_days as (

            select cost_currency as currency, cast(sent_at as date) as converted_on, count(*) as conversions
            from messages
            group by cost_currency, cast(sent_at as date)

        ),

    {% endif -%}
    conversions as (

        select
            'orders' as kind,
            currency,
            exchange_rate_date as rate_date,
            cast(ordered_at as date) as converted_on,
            count(*) as conversions,
            sum(revenue) as amount
        from orders
        where currency <> '{{ var("reporting_currency") }}'
        group by currency, exchange_rate_date, cast(ordered_at as date)
        {%- if var("insights") %}

            union all

            select
                'messages' as kind,
                cost_days.currency,
                exchange_rate_periods.rate_date,
                cost_days.converted_on,
                cost_days.conversions,
                null as amount
            from cost_days
            inner join
                exchange_rate_periods
                on cost_days.currency = exchange_rate_periods.currency
                and cost_days.converted_on >= exchange_rate_periods.rate_date
                and cost_days.converted_on < exchange_rate_periods.valid_until
        {%- endif %}

    ),

    old_conversions as (

        select conversions.*
        from conversions
        cross join last_rate
        where
            conversions.rate_date < conversions.converted_on - interval {{ var("max_rate_age_days") }} days
            and conversions.converted_on > last_rate.rate_date - interval 30 days

    ),
    {% if var("insights") %}

        old_message_costs as (

            select old_conversions.currency, old_conversions.converted_on, sum(messages_enriched.cost) as amount
            from old_conversions
            inner join
                messages
                on old_conversions.currency = messages.cost_currency
                and old_conversions.converted_on = cast(messages.sent_at as date)
            inner join
                {{ ref("int_messages_enriched") }} as messages_enriched
                on messages.message_id = messages_enriched.message_id
            where old_conversions.kind = 'messages'
            group by old_conversions.currency, old_conversions.converted_on

        ),
    {% endif %}

    counted as (

        select
            old_conversions.kind,
            old_conversions.currency,
            sum(old_conversions.conversions) as conversions,
            {%- if var("insights") %} sum(coalesce(old_conversions.amount, old_message_costs.amount)) as amount,
            {%- else %} sum(old_conversions.amount) as amount,
            {%- endif %}
            min(old_conversions.rate_date) as oldest_rate_date
        from old_conversions
        {%- if var("insights") %}
            left join
                old_message_costs
                on old_conversions.kind = 'messages'
                and old_conversions.currency = old_message_costs.currency
                and old_conversions.converted_on = old_message_costs.converted_on
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
