-- Which suppressed numbers were sent to later anyway?
--
-- suppressed_at is the time of the last bounce as the receipt states it; the sending platform learns of it later.
-- The marts hold one message per contact of a campaign, not every message: these are in the lake. Rows of the lake can repeat,
-- so one row per message is kept, by the rule of the marts. With masked numbers, this query finds nothing.
with
    sends as (
        select distinct on (message_id) message_id, campaign_id, mobile_number, sent_at, skip_reason
        from read_parquet('lake/sends/*/*.parquet')
        order by message_id, skip_reason is not null, sent_at, campaign_id, contact_id, mobile_number desc
    )
select
    suppressed.mobile_number,
    suppressed.suppressed_at,
    count(*) as messages_since,
    count(distinct sends.campaign_id) as campaigns_since,
    max(sends.sent_at) as last_sent_at
from suppressed_numbers as suppressed
inner join sends on suppressed.mobile_number = sends.mobile_number and suppressed.suppressed_at < sends.sent_at
where sends.skip_reason is null
group by all
order by messages_since desc, suppressed.mobile_number;
