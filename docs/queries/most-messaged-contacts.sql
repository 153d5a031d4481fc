-- Which contacts receive the most campaigns?
select
    contact_id,
    count(*) as campaigns,
    sum(messages_sent) as messages,
    count(*) filter (delivery_status = 'delivered') as campaigns_delivered,
    max(last_sent_at) as last_sent_at
from delivery_status
group by contact_id
order by campaigns desc, messages desc, contact_id
limit 20;
