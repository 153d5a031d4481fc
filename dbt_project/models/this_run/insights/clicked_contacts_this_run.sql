{{ config(materialized="table") }}

{# A click changes by itself, by other clicks of the contact on the campaign, and by the campaign's messages to the contact. #}
with
    changed_contacts as (

        select campaign_id, contact_id
        from {{ ref("clicks_this_run") }}

        union all

        select campaign_id, contact_id
        from {{ ref("messages_this_run") }}
        semi join {{ ref("int_clicks_deduplicated") }} using (campaign_id, contact_id)

    )

select campaign_id, contact_id
from changed_contacts
group by campaign_id, contact_id
