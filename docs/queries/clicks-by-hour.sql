-- At which hours of the day, in local time, do people click?
--
-- The marts hold clicks by campaign and hour in UTC, not single clicks: these are in the lake. Rows of the lake can repeat, so
-- one row per click is kept, by the rule of the marts. The lake holds personal data, and not everybody can read it.
with
    clicks as (
        select distinct on (click_id) click_id, clicked_at, campaign_id, contact_id
        from read_parquet('lake/clicks/*/*.parquet')
        order by click_id, clicked_at, campaign_id, contact_id
    )
select
    -- From UTC, without a time zone in the type, to local time in Berlin, daylight saving included.
    hour(clicked_at at time zone 'UTC' at time zone 'Europe/Berlin') as hour_of_day,
    count(*) as clicks,
    count(distinct contact_id) as contacts
from clicks
group by hour_of_day
order by hour_of_day;
