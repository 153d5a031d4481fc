{{
    config(
        materialized=incremental_or_table("incremental"),
        meta={"changed_keys": {"insight_campaigns_this_run": ["campaign_id"]}},
    )
}}

-- depends_on: {{ ref('insight_campaigns_this_run') }}
with
    clicks as ({{ rows_of_insight_campaigns("int_clicks_classified") | indent(4) }}),

    unsubscribes as ({{ rows_of_insight_campaigns("int_unsubscribes_attributed") | indent(4) }}),

    direct_orders as ({{ rows_of_insight_campaigns("int_direct_orders_enriched") | indent(4) }}),

    clicks_in_buckets as (

        select
            campaign_id,
            is_bot,
            {{ response_bucket("after_us") | indent(8) }} as bucket,
            row_number() over (partition by campaign_id, contact_id order by clicked_at, click_id) as click_number
        from clicks
        where {{ is_click_counted() }}

    ),

    unsubscribes_in_buckets as (

        select campaign_id, {{ microseconds_of("unsubscribed_at") }} - {{ microseconds_of("sent_at") }} as after_us
        from unsubscribes
        where campaign_id is not null

    ),

    direct_orders_in_buckets as (

        select
            campaign_id,
            revenue,
            {{ microseconds_of("ordered_at") }} - {{ microseconds_of("message_sent_at") }} as after_us
        from direct_orders

    ),

    events as (

        select
            campaign_id,
            bucket,
            count(*) as clicks,
            count(*) filter (where not is_bot) as human_clicks,
            count(*) filter (where click_number = 1) as first_clicks,
            0 as unsubscribes,
            0 as direct_orders,
            cast(0 as decimal(38, 2)) as revenue
        from clicks_in_buckets
        group by campaign_id, bucket

        union all

        select
            campaign_id,
            {{ response_bucket("after_us") | indent(8) }} as bucket,
            0 as clicks,
            0 as human_clicks,
            0 as first_clicks,
            count(*) as unsubscribes,
            0 as direct_orders,
            cast(0 as decimal(38, 2)) as revenue
        from unsubscribes_in_buckets
        group by 1, 2

        union all

        select
            campaign_id,
            {{ response_bucket("after_us") | indent(8) }} as bucket,
            0 as clicks,
            0 as human_clicks,
            0 as first_clicks,
            0 as unsubscribes,
            count(*) as direct_orders,
            cast(coalesce(sum(revenue), 0) as decimal(38, 2)) as revenue
        from direct_orders_in_buckets
        group by 1, 2

    ),

    -- Every campaign has a row in every bucket.
    buckets as (

        select *
        from
            (
                values
                    {%- for minutes in response_buckets() %} ({{ minutes }}),{% endfor %}
                    ({{ response_bucket_without_message() }})
            ) as bounds(bucket)

    ),

    events_and_buckets as (

        select campaign_id, bucket, clicks, human_clicks, first_clicks, unsubscribes, direct_orders, revenue
        from events

        union all

        select campaigns.campaign_id, buckets.bucket, 0, 0, 0, 0, 0, 0
        from (select distinct campaign_id from events) as campaigns
        cross join buckets

    ),

    counted as (

        select
            campaign_id,
            bucket,
            sum(clicks) as clicks,
            sum(human_clicks) as human_clicks,
            sum(first_clicks) as first_clicks,
            sum(unsubscribes) as unsubscribes,
            sum(direct_orders) as direct_orders,
            sum(revenue) as revenue
        from events_and_buckets
        group by campaign_id, bucket

    ),

    cumulated as (

        select
            *,
            sum(clicks) over (
                partition by campaign_id order by bucket rows between unbounded preceding and current row
            ) as cumulative_clicks,
            sum(clicks) over (partition by campaign_id) as clicks_of_campaign
        from counted

    )

select
    cast(campaign_id as string) as campaign_id,
    cast(nullif(bucket, {{ response_bucket_without_message() }}) as bigint) as from_minutes,
    cast(clicks as bigint) as clicks,
    cast(human_clicks as bigint) as human_clicks,
    cast(first_clicks as bigint) as first_clicks,
    cast(unsubscribes as bigint) as unsubscribes,
    cast(direct_orders as bigint) as direct_orders,
    cast(revenue as decimal(18, 2)) as revenue,
    cast(cumulative_clicks as double) / cast(nullif(clicks_of_campaign, 0) as double) as cumulative_click_share
from cumulated
