{# Only rates into the reporting currency can be used; a rate without a base is one. -#}
{{ config(meta={'touched_by': {'touched_exchange_rates': ['currency', 'rate_date']}}) }}

-- depends_on: {{ ref('touched_exchange_rates') }}

{% if is_incremental() %}

select {{ deduplication('exchange_rates').columns | join(', ') }}
from {{ ref('touched_exchange_rates') }}
where version = 'now'

{% else %}

{{ deduplicated('exchange_rates', ref('stg_logs__exchange_rates')) }}

{% endif %}
