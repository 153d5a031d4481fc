{{
    config(
        materialized=incremental_or_table("incremental"),
        meta={"changed_keys": {"clicked_contacts_this_run": ["campaign_id", "contact_id"]}},
    )
}}

-- depends_on: {{ ref('clicked_contacts_this_run') }}
with
    clicks as (

        select *
        from {{ ref("int_clicks_classified") }}
        {%- if is_incremental() %}
            semi join {{ ref("clicked_contacts_this_run") }} using (campaign_id, contact_id)
        {%- endif %}

    )

select
    cast(click_id as string) as click_id,
    cast(campaign_id as string) as campaign_id,
    cast(contact_id as string) as contact_id,
    cast(clicked_at as timestamp) as clicked_at,
    cast(message_id as string) as message_id,
    {{ milliseconds_of("after_us") }} as after_ms,
    cast(is_bot as boolean) as is_bot,
    cast(rule as string) as rule,
    cast(is_before_delivery as boolean) as is_before_delivery
from clicks
