{{ config(meta={'touched_by': {'touched_campaigns': ['campaign_id']}}) }}

-- depends_on: {{ ref('touched_campaigns') }}

{% if is_incremental() %}

select {{ deduplication('campaigns').columns | join(', ') }}
from {{ ref('touched_campaigns') }}
where version = 'now'

{% else %}

{{ deduplicated('campaigns', ref('stg_logs__campaigns')) }}

{% endif %}
