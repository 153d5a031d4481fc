{#
    The orders and unsubscribes that this run attributes again, with the campaigns that the last run credited. Both models depend on
    this one, so that their previous rows are read before they change. The current rows are read from the models themselves.
#}
{%- set stored_orders = previous_relation("int_orders_attributed") -%}
{%- set stored_unsubscribes = previous_relation("int_unsubscribes_attributed") -%}
{#- An earlier attempt of this run may have changed the stored rows. -#}
{%- set is_repeated = is_incremental() | string | lower -%}

-- depends_on: {{ ref('order_contacts_this_run') }}, {{ ref('attributions_this_run') }}
with
    credits as (

        select
            cast(null as string) as campaign_id,
            cast(null as string) as order_id,
            cast(null as string) as attribution,
            cast(null as string) as contact_id,
            cast(null as timestamp) as occurred_at,
            cast(null as string) as credited_for,
            cast(null as decimal(18, 2)) as revenue
        where false
        {%- if stored_orders is not none %}

            union all

            {{ credits_of_orders(stored_orders) | indent(12) }}
        {%- endif %}
        {%- if stored_unsubscribes is not none %}

            union all

            {{ credits_of_unsubscribes(stored_unsubscribes) | indent(12) }}
        {%- endif %}

    )

select 'previous' as row_version, credits.*, {{ is_repeated }} as is_repeated
from credits
