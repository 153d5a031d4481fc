{{ config(meta={'touched_by': {'touched_messages': ['campaign_id'], 'touched_campaigns': ['campaign_id']}}) }}

-- depends_on: {{ ref('touched_messages') }}, {{ ref('touched_campaigns') }}

{{ digested('skip_reasons') }}
