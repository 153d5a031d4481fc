{{ config(meta={"changed_keys": {"order_contacts_this_run": ["contact_id"]}}) }}

-- depends_on: {{ ref('order_contacts_this_run') }}
{{ "-- depends_on: " ~ ref('credits_this_run') if var("insights") and model.resource_type != "unit_test" }}
with
    orders as (

        select *
        from {{ ref("int_orders_converted") }}
        {%- if is_incremental() %} semi join {{ ref("order_contacts_this_run") }} using (contact_id) {%- endif %}

    ),

    clicks as (select * from {{ counted_clicks() }}),

    contacts_with_orders as (select contact_id from orders group by contact_id),

    clicks_of_them as (

        select clicks.*
        from clicks
        semi join contacts_with_orders on clicks.contact_id = contacts_with_orders.contact_id

    ),

    -- A click is the contact's last click on its campaign until the next one there. So an order meets at most one
    -- click of each campaign.
    click_periods as (

        select
            click_id,
            campaign_id,
            contact_id,
            clicked_at,
            lead(clicked_at, 1, cast('9999-12-31' as timestamp)) over (
                partition by contact_id, campaign_id order by clicked_at, click_id
            ) as next_clicked_at
        from clicks_of_them

    ),

    last_clicks as (

        select
            orders.order_id,
            click_periods.campaign_id,
            orders.contact_id,
            orders.ordered_at,
            click_periods.clicked_at,
            click_periods.click_id,
            orders.revenue,
            orders.currency,
            orders.total,
            orders.refunded_amount,
            row_number() over (
                partition by orders.order_id order by click_periods.clicked_at desc, click_periods.click_id desc
            ) as recency
        from orders
        inner join
            click_periods
            on orders.contact_id = click_periods.contact_id
            and orders.ordered_at >= click_periods.clicked_at
            and orders.ordered_at < click_periods.next_clicked_at
        where click_periods.clicked_at >= orders.ordered_at - interval {{ var("conversion_window_hours") }} hours

    )

select
    order_id,
    campaign_id,
    case when recency = 1 then 'direct' else 'assisted' end as attribution,
    contact_id,
    ordered_at,
    clicked_at,
    click_id,
    revenue,
    currency,
    total,
    refunded_amount
from last_clicks
