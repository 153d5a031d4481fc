{{ config(materialized="table") }}

{#
    An exchange rate holds from its date until the next rate of its currency. If a rate is added, changed or removed, the
    revenue of the orders in this period may change.
#}
with
    orders as (select * from {{ ref("int_orders_deduplicated") }}),

    exchange_rates_this_run as (select distinct currency, rate_date from {{ ref("exchange_rates_this_run") }}),

    exchange_rates as (select * from {{ ref("int_exchange_rates_deduplicated") }}),

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

    ),

    changed_contacts as (

        select contact_id
        from {{ ref("orders_this_run") }}

        union all

        select contact_id
        from {{ ref("clicks_this_run") }}

        union all

        select orders.contact_id
        from orders
        inner join
            changed_exchange_rate_periods
            on orders.currency = changed_exchange_rate_periods.currency
            and cast(orders.ordered_at as date) >= changed_exchange_rate_periods.valid_from
            and cast(orders.ordered_at as date) < changed_exchange_rate_periods.valid_until

    )

select contact_id
from changed_contacts
group by contact_id
