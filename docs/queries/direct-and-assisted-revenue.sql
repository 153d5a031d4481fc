-- How much revenue is credited to campaigns directly, and how much as assisted?
--
-- An order is direct for one campaign and can be assisted by several: only revenue_of_orders counts each order once.
with
    orders_by_attribution as (
        select distinct attribution, order_id, revenue
        from attributed_orders
    ),
    credits_by_attribution as (
        select attribution, count(*) as credits, sum(revenue) as revenue_over_campaigns
        from attributed_orders
        group by all
    )
select
    attribution,
    any_value(credits) as credits,
    count(*) as orders,
    sum(revenue) as revenue_of_orders,
    any_value(revenue_over_campaigns) as revenue_over_campaigns
from orders_by_attribution
inner join credits_by_attribution using (attribution)
group by attribution
order by attribution desc;
