with
    clicks as (select * from {{ counted_clicks() }}),

    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    unmatched_events as (select * from {{ ref("unmatched_events") }} where log = 'clicks'),

    clicks_counted as (select count(*) as clicks from clicks),

    -- A campaign whose every message was skipped has metrics, and was not sent.
    campaign_clicks as (

        select
            coalesce(sum(total_clicks) filter (where total_sent > 0), 0) as clicks_on_campaigns_sent,
            coalesce(sum(total_clicks) filter (where total_sent = 0), 0) as clicks_on_campaigns_skipped
        from campaign_metrics

    )

select
    clicks_counted.clicks,
    campaign_clicks.clicks_on_campaigns_sent,
    campaign_clicks.clicks_on_campaigns_skipped,
    unmatched_events.events as clicks_unmatched
from clicks_counted
cross join campaign_clicks
cross join unmatched_events
where
    clicks_counted.clicks <> campaign_clicks.clicks_on_campaigns_sent + unmatched_events.events
    or campaign_clicks.clicks_on_campaigns_skipped > unmatched_events.events
