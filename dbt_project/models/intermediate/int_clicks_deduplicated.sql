{{ config(meta={'touched_by': {'touched_clicks': ['click_id']}}) }}

-- depends_on: {{ ref('touched_clicks') }}

{% if is_incremental() %}

select {{ deduplication('clicks').columns | join(', ') }}
from {{ ref('touched_clicks') }}
where version = 'now'

{% else %}

{{ deduplicated('clicks', ref('stg_logs__clicks')) }}

{% endif %}
