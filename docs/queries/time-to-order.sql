-- How long after a message do people order?
--
-- From the contact's last message of the campaign to the direct order. If the campaign was sent to the contact again after the
-- order, or never to this contact (links are passed on), the time is unknown.
with
    direct_orders as (
        select orders.order_id, orders.campaign_id, orders.ordered_at, status.last_sent_at
        from attributed_orders as orders
        left join delivery_status as status
            on orders.campaign_id = status.campaign_id
            and orders.contact_id = status.contact_id
            and status.last_sent_at <= orders.ordered_at
        where orders.attribution = 'direct'
    )
select
    coalesce(campaigns.campaign_type, 'unknown') as campaign_type,
    count(*) as orders,
    count(last_sent_at) as orders_after_a_message,
    median(epoch(ordered_at - last_sent_at) / 3600) as median_hours,
    quantile_cont(epoch(ordered_at - last_sent_at) / 3600, 0.9) as hours_of_nine_in_ten
from direct_orders
left join campaigns using (campaign_id)
group by all
order by campaign_type;
