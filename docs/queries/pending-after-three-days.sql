-- What share of contacts is still pending three days after the last message, by the day it was sent?
--
-- Three days before the end of the data, not before now: receipts of later days are not loaded yet.
with
    data_end as (
        select data_until + interval '1 day' as ends_at
        from build_info
    )
select
    status.last_sent_at::date as sent_on,
    count(*) as contacts,
    count(*) filter (status.delivery_status = 'pending') as pending,
    count(*) filter (status.delivery_status = 'pending' and status.provider is null) as pending_without_receipt,
    count(*) filter (status.delivery_status = 'pending') / count(*) as pending_share
from delivery_status as status
cross join data_end
where status.last_sent_at < data_end.ends_at - interval '3 days'
group by all
order by sent_on;
