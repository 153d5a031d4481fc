with
    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    campaign_click_quality as (select * from {{ ref("campaign_click_quality") }}),

    campaign_links as (select * from {{ ref("campaign_links") }}),

    links_added_up as (

        select
            campaign_id,
            sum(clicks) as clicks,
            sum(human_clicks) as human_clicks,
            max(unique_clickers) as most_clickers_of_a_link,
            sum(unique_clickers) as clickers_of_links,
            sum(direct_orders) as direct_orders,
            sum(revenue) as revenue
        from campaign_links
        group by campaign_id

    )

select
    campaign_metrics.campaign_id,
    campaign_metrics.total_clicks,
    links_added_up.clicks,
    campaign_click_quality.human_clicks,
    links_added_up.human_clicks as human_clicks_of_links,
    campaign_metrics.direct_orders,
    links_added_up.direct_orders as direct_orders_of_links,
    campaign_metrics.revenue,
    links_added_up.revenue as revenue_of_links
from campaign_metrics
left join links_added_up on campaign_metrics.campaign_id = links_added_up.campaign_id
left join campaign_click_quality on campaign_metrics.campaign_id = campaign_click_quality.campaign_id
where
    campaign_metrics.total_clicks <> coalesce(links_added_up.clicks, 0)
    or coalesce(campaign_click_quality.human_clicks, 0) <> coalesce(links_added_up.human_clicks, 0)
    or campaign_metrics.unique_clickers not between coalesce(links_added_up.most_clickers_of_a_link, 0)
    and coalesce(links_added_up.clickers_of_links, 0)
    or campaign_metrics.direct_orders <> coalesce(links_added_up.direct_orders, 0)
    or campaign_metrics.revenue <> coalesce(links_added_up.revenue, 0)
