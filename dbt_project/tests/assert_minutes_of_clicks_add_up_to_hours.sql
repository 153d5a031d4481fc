with
    campaign_clicks_hourly as (select * from {{ ref("campaign_clicks_hourly") }}),

    campaign_clicks_by_minute as (select * from {{ ref("campaign_clicks_by_minute") }}),

    minutes_by_hour as (

        select
            campaign_id,
            date_trunc('hour', minute_at) as hour_at,
            sum(clicks) as clicks,
            count(*) filter (where minute_at <> date_trunc('minute', minute_at)) as minutes_off_the_minute
        from campaign_clicks_by_minute
        group by campaign_id, date_trunc('hour', minute_at)

    ),

    compared as (

        select
            coalesce(campaign_clicks_hourly.campaign_id, minutes_by_hour.campaign_id) as campaign_id,
            coalesce(campaign_clicks_hourly.hour_at, minutes_by_hour.hour_at) as hour_at,
            campaign_clicks_hourly.clicks as clicks_of_hour,
            minutes_by_hour.clicks as clicks_of_minutes,
            concat_ws(
                '; ',
                case
                    when coalesce(campaign_clicks_hourly.clicks, 0) <> coalesce(minutes_by_hour.clicks, 0)
                    then 'the clicks of the hour are not the sum of the clicks of its minutes'
                end,
                case when minutes_by_hour.minutes_off_the_minute > 0 then 'a minute does not start on the minute' end
            ) as problem
        from campaign_clicks_hourly
        full join
            minutes_by_hour
            on campaign_clicks_hourly.campaign_id = minutes_by_hour.campaign_id
            and campaign_clicks_hourly.hour_at = minutes_by_hour.hour_at

    )

select *
from compared
where problem <> ''
