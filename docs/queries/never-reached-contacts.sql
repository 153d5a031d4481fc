-- Which contacts were sent several campaigns, received none, and are not suppressed?
--
-- With masked numbers, compare mobile_number_hash instead of mobile_number.
select
    contact_id,
    count(*) as campaigns,
    count(*) filter (delivery_status = 'hard_bounce') as hard_bounces,
    count(*) filter (delivery_status = 'soft_bounce') as soft_bounces,
    count(*) filter (delivery_status = 'pending') as pending,
    max(last_sent_at) as last_sent_at
from delivery_status
group by contact_id
having
    count(*) > 1
    and not bool_or(delivery_status = 'delivered')
    and not bool_or(mobile_number in (select mobile_number from suppressed_numbers))
order by campaigns desc, contact_id;
