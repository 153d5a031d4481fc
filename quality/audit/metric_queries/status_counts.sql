-- One row per campaign and status: the largest mart is read once.
select
    campaign_id,
    delivery_status,
    count(*) as contacts,
    cast(sum(messages_sent) as bigint) as messages,
    count_if(last_sent_at < settled_before) as settled,
    count_if(last_sent_at < settled_before and provider is null) as settled_without_receipt,
    count_if(last_sent_at between settled_before - interval 2 days and settled_before) as settled_lately,
    count_if(last_sent_at > settled_before + interval 2 days) as sent_lately
from delivery_status
cross join (select until - interval 3 days as settled_before from audit_window) as settling
group by campaign_id, delivery_status
