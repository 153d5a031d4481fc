with
    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    campaign_clicks_hourly as (select * from {{ ref("campaign_clicks_hourly") }}),

    campaign_hours as (

        select
            campaign_id,
            sum(clicks) as clicks,
            sum(unique_clickers) as clickers_of_all_hours,
            max(unique_clickers) as clickers_of_busiest_hour,
            count(*) filter (where hour_at <> date_trunc('hour', hour_at)) as hours_off_the_hour
        from campaign_clicks_hourly
        group by campaign_id

    ),

    -- The full join keeps a campaign that was never sent: campaign_metrics does not have it.
    compared as (

        select
            coalesce(campaign_metrics.campaign_id, campaign_hours.campaign_id) as campaign_id,
            campaign_metrics.total_clicks,
            campaign_hours.clicks,
            campaign_metrics.unique_clickers,
            campaign_hours.clickers_of_all_hours,
            campaign_hours.clickers_of_busiest_hour,
            concat_ws(
                '; ',
                case
                    when campaign_metrics.total_clicks <> coalesce(campaign_hours.clicks, 0)
                    then 'total_clicks is not the sum of the clicks of all hours'
                end,
                case
                    when campaign_hours.clickers_of_busiest_hour > campaign_metrics.unique_clickers
                    then 'an hour has more clickers than the campaign'
                end,
                case
                    when campaign_metrics.unique_clickers > coalesce(campaign_hours.clickers_of_all_hours, 0)
                    then 'the campaign has more clickers than its hours together'
                end,
                case when campaign_hours.hours_off_the_hour > 0 then 'an hour does not start on the hour' end
            ) as problem
        from campaign_metrics
        full join campaign_hours on campaign_metrics.campaign_id = campaign_hours.campaign_id

    )

select *
from compared
where problem <> ''
