-- A wrong exchange rate shows as two very different rates of a currency. Small amounts are left out: their rates are
-- mostly rounding.
with
    direct_orders as (
        select attributed.*, metrics.campaign_id is null as is_never_sent
        from attributed_orders as attributed
        left join campaign_metrics as metrics using (campaign_id)
        where attribution = 'direct'
    ),
    rates as (
        select currency, cast(revenue as double) / cast(total - refunded_amount as double) as rate
        from direct_orders
        where total - refunded_amount >= 10 and revenue >= 10
    ),
    spreads as (select max(rate) / min(rate) as spread from rates group by currency)
select
    count(*) as orders,
    coalesce(sum(direct_orders.revenue), 0) as revenue,
    count(*) filter (where direct_orders.revenue is null) as without_revenue,
    (select coalesce(sum(total_clicks), 0) from campaign_metrics) as clicks,
    share((select count_if(attribution = 'assisted') from attributed_orders), orders) as assists_per_order,
    share(count_if(total > 0 and refunded_amount = total), count_if(total > 0)) as refunded_in_full_share,
    share(count_if(is_never_sent), orders) as campaign_never_sent_share,
    (select max(spread) from spreads) as widest_spread_of_a_currency
from direct_orders
