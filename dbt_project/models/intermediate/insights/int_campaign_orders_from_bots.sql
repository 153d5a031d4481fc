{# A table: few contacts have bot clicks, and an incremental build would save nothing. -#}
{{ config(materialized="table") }}

{#
    Always over all clicks. If bot clicks are excluded from attribution, an order may be credited to another campaign, or to
    none. An order is from a bot if the contact's last click of all within the window is one.
#}
with
    orders as (select * from {{ ref("int_orders_deduplicated") }} where status = 'placed'),

    bot_clicks as (select * from {{ ref("int_clicks_classified") }} where is_bot),

    contacts_with_bot_clicks as (select contact_id from bot_clicks group by contact_id),

    clicks_of_them as (

        select * from {{ ref("int_clicks_classified") }} semi join contacts_with_bot_clicks using (contact_id)

    ),

    -- A click is the contact's last click until the next one.
    click_periods as (

        select
            campaign_id,
            contact_id,
            clicked_at,
            is_bot,
            lead(clicked_at, 1, cast('9999-12-31' as timestamp)) over (
                partition by contact_id order by clicked_at, click_id
            ) as next_clicked_at
        from clicks_of_them

    )

select click_periods.campaign_id, count(*) as direct_orders
from orders
inner join
    click_periods
    on orders.contact_id = click_periods.contact_id
    and orders.ordered_at >= click_periods.clicked_at
    and orders.ordered_at < click_periods.next_clicked_at
where
    click_periods.is_bot
    and click_periods.clicked_at >= orders.ordered_at - interval {{ var("conversion_window_hours") }} hours
group by click_periods.campaign_id
