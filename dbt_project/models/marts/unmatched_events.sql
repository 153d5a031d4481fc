with
    receipts as (select * from {{ ref("int_receipts_unmatched") }}),

    campaign_clicks as (select * from {{ ref("int_campaign_clicks_aggregated") }}),

    campaigns_sent as (select * from {{ ref("int_campaign_sends_aggregated") }} where total_sent > 0),

    unsubscribes as (select * from {{ ref("int_unsubscribes_attributed") }} where message_id is null),

    clicks_on_nothing_sent as (

        select campaign_clicks.*
        from campaign_clicks
        anti join campaigns_sent on campaign_clicks.campaign_id = campaigns_sent.campaign_id

    ),

    -- An aggregate without `group by` returns a row even if no event is unmatched.
    counted as (

        select
            'receipts' as log,
            'message_not_sent' as kind,
            count(*) as events,
            min(occurred_at) as first_at,
            max(occurred_at) as last_at
        from receipts

        union all

        select
            'clicks' as log,
            'campaign_never_sent' as kind,
            coalesce(sum(total_clicks), 0) as events,
            min(first_clicked_at) as first_at,
            max(last_clicked_at) as last_at
        from clicks_on_nothing_sent

        union all

        select
            'unsubscribes' as log,
            'nothing_sent_before' as kind,
            count(*) as events,
            min(unsubscribed_at) as first_at,
            max(unsubscribed_at) as last_at
        from unsubscribes

    )

select
    cast(log as string) as log,
    cast(kind as string) as kind,
    cast(events as bigint) as events,
    cast(first_at as timestamp) as first_at,
    cast(last_at as timestamp) as last_at
from counted
