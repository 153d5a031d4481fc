-- Which suppressed numbers were sent to later anyway?
--
-- suppressed_at is the time of the last bounce as the receipt states it; the sending platform learns of it later.
-- With masked numbers, join on mobile_number_hash instead of mobile_number.
select
    suppressed.mobile_number,
    suppressed.suppressed_at,
    count(*) as campaigns_since,
    count(*) filter (status.delivery_status = 'delivered') as campaigns_delivered_since,
    max(status.last_sent_at) as last_sent_at
from suppressed_numbers as suppressed
inner join delivery_status as status
    on suppressed.mobile_number = status.mobile_number
    and suppressed.suppressed_at < status.last_sent_at
group by all
order by campaigns_since desc, suppressed.mobile_number;
