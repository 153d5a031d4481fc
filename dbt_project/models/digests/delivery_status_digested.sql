{{ config(meta={'touched_by': {'touched_messages': ['campaign_id']}}) }}

-- depends_on: {{ ref('touched_messages') }}, {{ ref('touched_campaign_periods') }}

{{ digested('delivery_status', within='last_sent_at') }}
