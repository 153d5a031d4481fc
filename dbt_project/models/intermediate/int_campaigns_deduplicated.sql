{{
    config(
        meta={"changed_keys": {"campaigns_this_run": ["campaign_id"]}, "deduplication": deduplication("campaigns")}
    )
}}

-- depends_on: {{ ref('campaigns_this_run') }}
{% if is_incremental() %}

    select {{ deduplicated_columns("campaigns") | join(", ") }}
    from {{ ref("campaigns_this_run") }}
    where row_version = 'current'

{% else %} {{ deduplicated("campaigns", ref("stg_logs__campaigns")) }}

{% endif %}
