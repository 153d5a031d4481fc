{#- Weights are doubles, each rounded once: their sum is 1 to nine decimal places. #}
with
    attributed_orders as (select * from {{ ref("attributed_orders") }}),

    attribution_models as (select * from {{ ref("attribution_models") }}),

    orders as (

        select
            order_id,
            max(revenue) as revenue,
            max(campaign_id) filter (where attribution = 'direct') as direct_campaign_id,
            count(*) as campaigns
        from attributed_orders
        group by order_id

    ),

    models as (select * from (values ('first'), ('last'), ('linear'), ('position'), ('time_decay')) as names(model)),

    credits as (

        select
            order_id,
            model,
            count(*) as campaigns,
            max(campaign_id) as campaign_id,
            sum(weight) as weight,
            sum(revenue) as revenue,
            count(revenue) as revenues
        from attribution_models
        group by order_id, model

    ),

    expected_credits as (

        select
            orders.order_id,
            orders.revenue,
            models.model,
            case when models.model in ('first', 'last') then 1 else orders.campaigns end as campaigns,
            case when models.model = 'last' then orders.direct_campaign_id end as campaign_id
        from orders
        cross join models

    )

select
    coalesce(expected_credits.order_id, credits.order_id) as order_id,
    coalesce(expected_credits.model, credits.model) as model
from expected_credits
full join credits on expected_credits.order_id = credits.order_id and expected_credits.model = credits.model
where
    expected_credits.order_id is null
    or credits.order_id is null
    or expected_credits.campaigns <> credits.campaigns
    or expected_credits.campaign_id <> credits.campaign_id
    or abs(credits.weight - 1) > 1e-9
    or credits.revenue is distinct from expected_credits.revenue
    or credits.revenues not in (0, credits.campaigns)
