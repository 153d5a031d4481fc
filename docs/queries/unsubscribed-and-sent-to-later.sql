-- Which contacts were sent something after opting out?
--
-- A contact may have opted in again since then: the logs do not say.
with
    opted_out as (
        select contact_id, min(unsubscribed_at) as unsubscribed_at
        from attributed_unsubscribes
        group by contact_id
    )
select
    contact_id,
    opted_out.unsubscribed_at,
    count(*) as campaigns_since,
    max(status.last_sent_at) as last_sent_at
from opted_out
inner join delivery_status as status using (contact_id)
where status.last_sent_at > opted_out.unsubscribed_at
group by all
order by campaigns_since desc, contact_id;
