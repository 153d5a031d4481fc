-- How much was ordered in currencies without an exchange rate?
--
-- These orders count in no revenue figure. Amounts are in the order's own currency, so they do not add up.
-- Of orders whose revenue does not fit, the reason is revenue_too_large.
select
    currency,
    count(*) as orders,
    sum(total - refunded_amount) as total_less_refunds,
    min(ordered_at) as first_ordered_at,
    max(ordered_at) as last_ordered_at
from unconverted_orders
where reason = 'no_exchange_rate'
group by currency
order by orders desc, currency;
