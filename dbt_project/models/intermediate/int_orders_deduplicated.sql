{{ config(meta={"changed_keys": {"orders_this_run": ["order_id"]}, "deduplication": deduplication("orders")}) }}

-- depends_on: {{ ref('orders_this_run') }}
{% if is_incremental() %}

    select {{ deduplicated_columns("orders") | join(", ") }}
    from {{ ref("orders_this_run") }}
    where row_version = 'current'

{% else %} {{ deduplicated("orders", ref("stg_logs__orders")) }}

{% endif %}
