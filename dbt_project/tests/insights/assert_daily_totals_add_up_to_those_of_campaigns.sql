with
    daily_totals as (select * from {{ ref("daily_totals") }}),

    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    campaign_economics as (select * from {{ ref("campaign_economics") }}),

    attributed_unsubscribes as (select * from {{ ref("attributed_unsubscribes") }} where campaign_id is not null),

    delivery_failures as (select * from {{ ref("delivery_failures") }}),

    -- The statement of each figure by campaign, added up over all campaigns.
    figures_by_campaign as (

        select
            'campaigns' as source,
            coalesce(sum(campaign_metrics.total_sent), 0) as messages,
            coalesce(sum(campaign_metrics.total_delivered), 0) as delivered,
            (select coalesce(sum(messages), 0) from delivery_failures) as failed,
            coalesce(sum(campaign_metrics.total_segments), 0) as segments,
            coalesce(sum(campaign_economics.cost), 0) as cost,
            coalesce(sum(campaign_metrics.total_clicks), 0) as clicks,
            (select count(*) from attributed_unsubscribes) as unsubscribes,
            coalesce(sum(campaign_metrics.direct_orders), 0) as direct_orders,
            coalesce(sum(campaign_metrics.revenue), 0) as revenue
        from campaign_metrics
        left join campaign_economics on campaign_metrics.campaign_id = campaign_economics.campaign_id

    ),

    figures_by_day as (

        select
            clock,
            coalesce(sum(messages), 0) as messages,
            coalesce(sum(delivered), 0) as delivered,
            coalesce(sum(failed), 0) as failed,
            coalesce(sum(segments), 0) as segments,
            coalesce(sum(cost), 0) as cost,
            coalesce(sum(clicks), 0) as clicks,
            coalesce(sum(unsubscribes), 0) as unsubscribes,
            coalesce(sum(direct_orders), 0) as direct_orders,
            coalesce(sum(revenue), 0) as revenue
        from (values ('sent'), ('event')) as clocks(clock)
        left join daily_totals using (clock)
        group by clock

    ),

    -- On the clock `sent`, clicks and orders without a message are missing.
    compared as (

        select
            figures_by_day.clock,
            concat_ws(
                '; '
                {%- for figure in ["messages", "delivered", "failed", "segments", "cost", "unsubscribes"] %}
                    ,
                    case
                        when figures_by_day.{{ figure }} <> figures_by_campaign.{{ figure }}
                        then
                            '{{ figure }} by day: '
                            || cast(figures_by_day.{{ figure }} as string)
                            || ', by campaign: '
                            || cast(figures_by_campaign.{{ figure }} as string)
                    end
                {%- endfor %}
                {%- for figure in ["clicks", "direct_orders", "revenue"] %}
                    ,
                    case
                        when
                            figures_by_day.{{ figure }} > figures_by_campaign.{{ figure }}
                            or (
                                figures_by_day.clock = 'event'
                                and figures_by_day.{{ figure }} < figures_by_campaign.{{ figure }}
                            )
                        then
                            '{{ figure }} by day: '
                            || cast(figures_by_day.{{ figure }} as string)
                            || ', by campaign: '
                            || cast(figures_by_campaign.{{ figure }} as string)
                    end
                {%- endfor %}
            ) as problem
        from figures_by_day
        cross join figures_by_campaign

    )

select *
from compared
where problem <> ''
