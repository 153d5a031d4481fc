with
    attributed_orders as (select * from {{ ref("attributed_orders") }}),

    direct_orders as (select * from attributed_orders where attribution = 'direct'),

    orders as (

        select order_id, count(*) filter (where attribution = 'direct') as direct_campaigns
        from attributed_orders
        group by order_id

    ),

    compared as (

        select
            attributed_orders.order_id,
            attributed_orders.campaign_id,
            attributed_orders.attribution,
            orders.direct_campaigns,
            concat_ws(
                '; ',
                case when orders.direct_campaigns <> 1 then 'the order does not have exactly one direct campaign' end,
                case
                    when attributed_orders.clicked_at > direct_orders.clicked_at
                    then 'the campaign was clicked after the direct campaign'
                end,
                case
                    when
                        direct_orders.order_id is not null
                        and (
                            attributed_orders.contact_id is distinct from direct_orders.contact_id
                            or attributed_orders.ordered_at is distinct from direct_orders.ordered_at
                            or attributed_orders.revenue is distinct from direct_orders.revenue
                            or attributed_orders.currency is distinct from direct_orders.currency
                            or attributed_orders.total is distinct from direct_orders.total
                            or attributed_orders.refunded_amount is distinct from direct_orders.refunded_amount
                        )
                    then 'the order differs between its rows'
                end,
                case
                    when attributed_orders.refunded_amount = attributed_orders.total and attributed_orders.revenue <> 0
                    then 'the order was refunded in full and has revenue'
                end
            ) as problem
        from attributed_orders
        inner join orders on attributed_orders.order_id = orders.order_id
        left join direct_orders on attributed_orders.order_id = direct_orders.order_id

    )

select *
from compared
where problem <> ''
