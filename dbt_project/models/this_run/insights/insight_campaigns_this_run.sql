{{ config(materialized="table") }}

{#
    The campaigns with changed messages or clicks, and those that an order or an unsubscribe credits otherwise after this run. If an
    attempt of this run has already stored attributions, those look the same before and after this attempt: then every one counts
    as changed.
#}
{%- set columns = ["campaign_id", "order_id", "attribution", "contact_id", "occurred_at", "credited_for", "revenue"] -%}

-- depends_on: {{ ref('order_contacts_this_run') }}, {{ ref('attributions_this_run') }}
with
    current_credits as (

        {{ credits_of_orders(ref("int_orders_attributed")) | indent(8) }}

        union all

        {{ credits_of_unsubscribes(ref("int_unsubscribes_attributed")) | indent(8) }}

    ),

    credits as (

        select {{ columns | join(", ") }}, is_repeated
        from {{ ref("credits_this_run") }}

        union all

        select {{ columns | join(", ") }}, false as is_repeated
        from current_credits

    ),

    changed_credits as (

        select campaign_id from credits group by {{ columns | join(", ") }} having count(*) = 1 or bool_or(is_repeated)

    ),

    campaigns as (

        select campaign_id
        from {{ ref("message_campaigns_this_run") }}

        union all

        select campaign_id
        from {{ ref("clicks_this_run") }}

        union all

        select campaign_id
        from changed_credits

    )

select campaign_id
from campaigns
group by campaign_id
