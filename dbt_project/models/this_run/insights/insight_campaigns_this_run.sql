{{ config(materialized="table") }}

with
    campaigns as (

        select campaign_id
        from {{ ref("message_campaigns_this_run") }}

        union all

        select campaign_id
        from {{ ref("clicks_this_run") }}

        union all

        select campaign_id
        from {{ ref("credited_campaigns_this_run") }}

        union all

        select campaign_id
        from {{ ref("int_orders_attributed") }}
        semi join {{ ref("order_contacts_this_run") }} using (contact_id)

        union all

        select campaign_id
        from {{ ref("int_unsubscribes_attributed") }}
        semi join {{ ref("attributions_this_run") }} using (contact_id, unsubscribed_at)
        where campaign_id is not null

    )

select campaign_id
from campaigns
group by campaign_id
