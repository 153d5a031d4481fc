{{ config(meta={'touched_by': {'touched_orders': ['order_id']}}) }}

-- depends_on: {{ ref('touched_orders') }}

{% if is_incremental() %}

select {{ deduplication('orders').columns | join(', ') }}
from {{ ref('touched_orders') }}
where version = 'now'

{% else %}

{{ deduplicated('orders', ref('stg_logs__orders')) }}

{% endif %}
