{{ config(materialized='table') }}

{#
    A rate holds from its date until the next one of its currency: these are the orders that may be converted otherwise
    when it comes, changes or goes.
#}
with orders as (

    select * from {{ ref('int_orders_deduplicated') }}

),

touched_exchange_rates as (

    select distinct
        currency,
        rate_date
    from {{ ref('touched_exchange_rates') }}

),

exchange_rates as (

    select * from {{ ref('int_exchange_rates_deduplicated') }}

),

touched_exchange_rate_periods as (

    select
        touched_exchange_rates.currency,
        touched_exchange_rates.rate_date as valid_from,
        coalesce(min(exchange_rates.rate_date), cast('9999-12-31' as date)) as valid_until
    from touched_exchange_rates
    left join exchange_rates
        on touched_exchange_rates.currency = exchange_rates.currency
        and touched_exchange_rates.rate_date < exchange_rates.rate_date
    group by touched_exchange_rates.currency, touched_exchange_rates.rate_date

),

touched_contacts as (

    select contact_id from {{ ref('touched_orders') }}

    union all

    select contact_id from {{ ref('touched_clicks') }}

    union all

    select orders.contact_id
    from orders
    inner join touched_exchange_rate_periods
        on orders.currency = touched_exchange_rate_periods.currency
        and cast(orders.ordered_at as date) >= touched_exchange_rate_periods.valid_from
        and cast(orders.ordered_at as date) < touched_exchange_rate_periods.valid_until

)

select contact_id
from touched_contacts
group by contact_id
