with
    unconverted_orders as (select * from {{ ref("unconverted_orders") }}),

    converted_orders as (select * from {{ ref("attributed_orders") }} where revenue is not null),

    converted_order_ids as (select distinct order_id from converted_orders),

    -- A rate holds from its day on: once an order is converted, so are all later orders in its currency.
    converted_currencies as (

        select currency, min(cast(ordered_at as date)) as first_converted_on from converted_orders group by currency

    ),

    compared as (

        select
            unconverted_orders.order_id,
            unconverted_orders.currency,
            unconverted_orders.ordered_at,
            unconverted_orders.reason,
            converted_currencies.first_converted_on,
            concat_ws(
                '; ',
                case
                    when converted_order_ids.order_id is not null then 'the order has revenue in attributed_orders'
                end,
                case
                    when
                        unconverted_orders.reason = 'no_exchange_rate'
                        and cast(unconverted_orders.ordered_at as date) >= converted_currencies.first_converted_on
                    then 'an order in that currency was converted on the same day or earlier'
                end,
                case
                    when unconverted_orders.refunded_amount > unconverted_orders.total
                    then 'refunded_amount is more than total'
                end
            ) as problem
        from unconverted_orders
        left join converted_order_ids on unconverted_orders.order_id = converted_order_ids.order_id
        left join converted_currencies on unconverted_orders.currency = converted_currencies.currency

    )

select *
from compared
where problem <> ''
