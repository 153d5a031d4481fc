{{
    config(
        materialized=incremental_or_table("incremental"),
        meta={"changed_keys": {"insight_campaigns_this_run": ["campaign_id"]}},
    )
}}

-- depends_on: {{ ref('insight_campaigns_this_run') }}
with
    clicks as ({{ rows_of_insight_campaigns("int_clicks_classified") | indent(4) }}),

    direct_orders as ({{ rows_of_insight_campaigns("int_direct_orders_enriched") | indent(4) }}),

    link_clickers as (

        select
            campaign_id,
            link,
            contact_id,
            count(*) as clicks,
            count(*) filter (where not is_bot) as human_clicks,
            min(clicked_at) as first_clicked_at,
            max(clicked_at) as last_clicked_at
        from clicks
        where {{ is_click_counted() }}
        group by campaign_id, link, contact_id

    ),

    -- Null is a link of its own. A union: a join on links that may be null would be slow.
    links_by_event as (

        select
            campaign_id,
            link,
            sum(clicks) as clicks,
            sum(human_clicks) as human_clicks,
            count(*) as unique_clickers,
            min(first_clicked_at) as first_clicked_at,
            max(last_clicked_at) as last_clicked_at,
            0 as direct_orders,
            cast(0 as decimal(38, 2)) as revenue
        from link_clickers
        group by campaign_id, link

        union all

        select
            campaign_id,
            link,
            0 as clicks,
            0 as human_clicks,
            0 as unique_clickers,
            cast(null as timestamp) as first_clicked_at,
            cast(null as timestamp) as last_clicked_at,
            count(*) as direct_orders,
            cast(coalesce(sum(revenue), 0) as decimal(38, 2)) as revenue
        from direct_orders
        group by campaign_id, link

    ),

    links as (

        select
            campaign_id,
            link,
            sum(clicks) as clicks,
            sum(human_clicks) as human_clicks,
            sum(unique_clickers) as unique_clickers,
            min(first_clicked_at) as first_clicked_at,
            max(last_clicked_at) as last_clicked_at,
            sum(direct_orders) as direct_orders,
            sum(revenue) as revenue
        from links_by_event
        group by campaign_id, link

    )

select
    cast(campaign_id as string) as campaign_id,
    cast(link as string) as link,
    cast(clicks as bigint) as clicks,
    cast(human_clicks as bigint) as human_clicks,
    cast(unique_clickers as bigint) as unique_clickers,
    cast(clicks as double) / cast(sum(clicks) over (partition by campaign_id) as double) as share_of_clicks,
    cast(first_clicked_at as timestamp) as first_clicked_at,
    cast(last_clicked_at as timestamp) as last_clicked_at,
    cast(direct_orders as bigint) as direct_orders,
    cast(revenue as decimal(18, 2)) as revenue
from links
