-- Which contacts' orders are credited to several campaigns, and to which?
select
    contact_id,
    order_id,
    ordered_at,
    any_value(revenue) as revenue,
    any_value(campaign_id) filter (attribution = 'direct') as direct_campaign_id,
    list(campaign_id order by clicked_at, campaign_id) filter (attribution = 'assisted') as assisting_campaign_ids
from attributed_orders
group by contact_id, order_id, ordered_at
having count(*) > 1
order by count(*) desc, ordered_at, order_id;
