-- How did each week compare with the week before?
--
-- A campaign counts in the week of its last message. Weeks begin on Monday, in UTC.
with
    campaigns_by_week as (
        select
            date_trunc('week', last_sent_at)::date as week,
            count(*) as campaigns,
            sum(total_sent) as messages_sent,
            sum(revenue) as revenue
        from campaign_metrics
        where last_sent_at is not null
        group by all
    ),
    -- Weeks without a campaign too: otherwise the week before could be any earlier week.
    weeks as (
        select unnest(generate_series(min(week), max(week), interval '7 days'))::date as week
        from campaigns_by_week
    ),
    every_week as (
        select
            week,
            coalesce(campaigns, 0) as campaigns,
            coalesce(messages_sent, 0) as messages_sent,
            coalesce(revenue, 0) as revenue
        from weeks
        left join campaigns_by_week using (week)
    )
select
    week,
    campaigns,
    messages_sent,
    messages_sent - lag(messages_sent) over (order by week) as messages_sent_more,
    revenue,
    revenue - lag(revenue) over (order by week) as revenue_more
from every_week
order by week;
