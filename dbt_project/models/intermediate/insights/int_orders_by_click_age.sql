{{ config(meta={"changed_keys": {"order_contacts_this_run": ["contact_id"]}}) }}

-- depends_on: {{ ref('order_contacts_this_run') }}
{#- The widest window answers for all: whether an order is direct or assisted depends on the age of the click alone. #}
with
    orders as (

        select order_id, contact_id, ordered_at, revenue
        from {{ ref("int_orders_converted") }}
        {%- if is_incremental() %} semi join {{ ref("order_contacts_this_run") }} using (contact_id) {%- endif %}

    ),

    contacts_with_orders as (select contact_id from orders group by contact_id),

    clicks_of_them as (

        select click_id, campaign_id, contact_id, clicked_at
        from {{ counted_clicks() }}
        semi join contacts_with_orders using (contact_id)

    ),

    -- A click is the contact's last click on its campaign until the next one there, and the last of all clicks until
    -- the next of all.
    click_periods as (

        select
            campaign_id,
            contact_id,
            clicked_at,
            lead(clicked_at, 1, cast('9999-12-31' as timestamp)) over (
                partition by contact_id, campaign_id order by clicked_at, click_id
            ) as next_clicked_at,
            lead(clicked_at, 1, cast('9999-12-31' as timestamp)) over (
                partition by contact_id order by clicked_at, click_id
            ) as next_clicked_at_of_all
        from clicks_of_them

    )

select
    orders.order_id,
    click_periods.campaign_id,
    orders.contact_id,
    {{ microseconds_of("orders.ordered_at") }} - {{ microseconds_of("click_periods.clicked_at") }} as click_age_us,
    orders.ordered_at < click_periods.next_clicked_at_of_all as is_last_click,
    orders.revenue
from orders
inner join
    click_periods
    on orders.contact_id = click_periods.contact_id
    and orders.ordered_at >= click_periods.clicked_at
    and orders.ordered_at < click_periods.next_clicked_at
where click_periods.clicked_at >= orders.ordered_at - interval {{ what_if_windows()[-1] }} hours
