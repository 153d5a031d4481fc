-- At which hours of the day, in local time, do people click?
--
-- The marts hold counts of clicks, not their times: these are in the lake. Its rows may repeat, so that of each click one
-- row is kept, by the rule of the marts. It holds personal data, and not everyone may read it.
with
    clicks as (
        select distinct on (click_id) click_id, clicked_at, campaign_id, contact_id
        from read_parquet('lake/clicks/*/*.parquet')
        order by click_id, clicked_at, campaign_id, contact_id
    )
select
    -- From a time without a zone, meant in UTC, to one in Berlin: daylight saving is taken care of.
    hour(clicked_at at time zone 'UTC' at time zone 'Europe/Berlin') as hour_of_day,
    count(*) as clicks,
    count(distinct contact_id) as contacts
from clicks
group by hour_of_day
order by hour_of_day;
