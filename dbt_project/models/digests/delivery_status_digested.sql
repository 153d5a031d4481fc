{{ config(meta={'touched_by': {'touched_messages': ['campaign_id']}}) }}

-- depends_on: {{ ref('touched_messages') }}

{{ digested('delivery_status') }}
