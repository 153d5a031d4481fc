{{
    config(
        materialized=incremental_or_table("incremental"),
        meta={"changed_keys": {"insight_campaigns_this_run": ["campaign_id"]}},
    )
}}

-- depends_on: {{ ref('insight_campaigns_this_run') }}
with clicks as ({{ rows_of_insight_campaigns("int_clicks_classified") | indent(4) }})

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
