with
    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    attribution_models as (select * from {{ ref("attribution_models") }}),

    campaign_attribution as (select * from {{ ref("campaign_attribution") }}),

    credits as (

        select
            campaign_id, model, count(*) as orders, sum(weight) as credited_orders, coalesce(sum(revenue), 0) as revenue
        from attribution_models
        group by campaign_id, model

    ),

    last_touches as (select * from campaign_attribution where model = 'last')

select campaign_attribution.campaign_id, campaign_attribution.model
from campaign_attribution
left join
    credits on campaign_attribution.campaign_id = credits.campaign_id and campaign_attribution.model = credits.model
left join last_touches on campaign_attribution.campaign_id = last_touches.campaign_id
where
    campaign_attribution.orders is distinct from credits.orders
    or abs(campaign_attribution.credited_orders - credits.credited_orders) > 1e-9 * credits.orders
    or campaign_attribution.revenue is distinct from credits.revenue
    or campaign_attribution.revenue_over_last <> campaign_attribution.revenue - coalesce(last_touches.revenue, 0)

union all

-- The model `last` gives the direct orders.
select campaign_metrics.campaign_id, 'last' as model
from campaign_metrics
left join last_touches on campaign_metrics.campaign_id = last_touches.campaign_id
where
    campaign_metrics.direct_orders <> coalesce(last_touches.orders, 0)
    or campaign_metrics.revenue <> coalesce(last_touches.revenue, 0)
