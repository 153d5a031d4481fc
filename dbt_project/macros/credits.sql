{#
    The attributed orders that this run attributes again, and the attributed unsubscribes: which campaign is credited with what, and
    for which click or message. Each queries the stored rows or the current rows of its model.
#}
{% macro credits_of_orders(orders_attributed) -%}
    select campaign_id, order_id, attribution, contact_id, ordered_at as occurred_at, click_id as credited_for, revenue
    from {{ orders_attributed }}
    semi join {{ ref("order_contacts_this_run") }} using (contact_id)
{%- endmacro %}


{% macro credits_of_unsubscribes(unsubscribes_attributed) -%}
    select
        campaign_id,
        cast(null as string) as order_id,
        cast(null as string) as attribution,
        contact_id,
        unsubscribed_at as occurred_at,
        message_id as credited_for,
        cast(null as decimal(18, 2)) as revenue
    from {{ unsubscribes_attributed }}
    semi join {{ ref("attributions_this_run") }} using (contact_id, unsubscribed_at)
    where campaign_id is not null
{%- endmacro %}
