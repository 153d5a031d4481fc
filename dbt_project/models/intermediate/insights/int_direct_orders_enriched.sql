{{
    config(
        meta={
            "changed_keys": {"order_contacts_this_run": ["contact_id"], "messages_this_run": ["contact_id"]},
        }
    )
}}

-- depends_on: {{ ref('order_contacts_this_run') }}, {{ ref('messages_this_run') }}
with
    {% if is_incremental() -%}
        changed_contacts as (

            select contact_id
            from {{ ref("order_contacts_this_run") }}

            union all

            select contact_id
            from {{ ref("messages_this_run") }}

        ),

    {% endif -%}
    orders as (

        select *
        from {{ ref("int_orders_attributed") }}
        {%- if is_incremental() %} semi join changed_contacts using (contact_id) {%- endif %}
        where attribution = 'direct'

    ),

    clicks as (select * from {{ ref("int_clicks_classified") }}),

    orders_deduplicated as (select * from {{ ref("int_orders_deduplicated") }})

select
    orders.order_id,
    orders.campaign_id,
    orders.contact_id,
    orders.ordered_at,
    orders.click_id,
    orders.clicked_at,
    clicks.link,
    clicks.is_bot as is_bot_click,
    clicks.message_id,
    clicks.mobile_number,
    clicks.message_sent_at,
    clicks.message_first_log_date,
    orders.revenue,
    orders_deduplicated.first_log_date
from orders
inner join clicks on orders.click_id = clicks.click_id
inner join orders_deduplicated on orders.order_id = orders_deduplicated.order_id
