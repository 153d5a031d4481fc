{{ config(meta={'touched_by': {'touched_unsubscribes': ['contact_id', 'unsubscribed_at']}}) }}

-- depends_on: {{ ref('touched_unsubscribes') }}

{% if is_incremental() %}

select {{ deduplication('unsubscribes').columns | join(', ') }}
from {{ ref('touched_unsubscribes') }}
where version = 'now'

{% else %}

{{ deduplicated('unsubscribes', ref('stg_logs__unsubscribes')) }}

{% endif %}
