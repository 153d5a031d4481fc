{#
    This run may credit the orders and unsubscribes of the previous rows to other campaigns. Both models depend on this one, so
    that their previous rows are read before they change. The other side, the current rows, is read from the models
    themselves.
#}
{%- set stored_orders = previous_relation("int_orders_attributed") -%}
{%- set stored_unsubscribes = previous_relation("int_unsubscribes_attributed") -%}

-- depends_on: {{ ref('order_contacts_this_run') }}, {{ ref('attributions_this_run') }}
with
    credited_campaigns as (

        select cast(null as string) as campaign_id
        where false
        {%- if stored_orders is not none %}

            union all

            select campaign_id
            from {{ stored_orders }}
            semi join {{ ref("order_contacts_this_run") }} using (contact_id)
        {%- endif %}
        {%- if stored_unsubscribes is not none %}

            union all

            select campaign_id
            from {{ stored_unsubscribes }}
            semi join {{ ref("attributions_this_run") }} using (contact_id, unsubscribed_at)
            where campaign_id is not null
        {%- endif %}

    )

select distinct 'previous' as row_version, campaign_id
from credited_campaigns
