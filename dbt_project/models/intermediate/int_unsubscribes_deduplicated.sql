{{
    config(
        meta={
            "changed_keys": {"unsubscribes_this_run": ["contact_id", "unsubscribed_at"]},
            "deduplication": deduplication("unsubscribes"),
        }
    )
}}

-- depends_on: {{ ref('unsubscribes_this_run') }}
{% if is_incremental() %}

    select {{ deduplicated_columns("unsubscribes") | join(", ") }}
    from {{ ref("unsubscribes_this_run") }}
    where row_version = 'current'

{% else %} {{ deduplicated("unsubscribes", ref("stg_logs__unsubscribes")) }}

{% endif %}
