{{ config(materialized="table") }}

{# If a rate is added, changed or removed, the revenue of the orders in its period may change. #}
with
    orders as (select * from {{ ref("int_orders_deduplicated") }}),

    {{ changed_exchange_rate_periods(ref("exchange_rates_this_run"), ref("int_exchange_rates_deduplicated")) }},

    changed_contacts as (

        select contact_id
        from {{ ref("orders_this_run") }}

        union all

        select contact_id
        from {{ ref(counted_clicks_this_run()) }}

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
