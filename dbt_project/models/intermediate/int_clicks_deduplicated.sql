{{ config(meta={"changed_keys": {"clicks_this_run": ["click_id"]}, "deduplication": deduplication("clicks")}) }}

-- depends_on: {{ ref('clicks_this_run') }}
{% if is_incremental() %}

    select {{ deduplicated_columns("clicks") | join(", ") }}
    from {{ ref("clicks_this_run") }}
    where row_version = 'current'

{% else %} {{ deduplicated("clicks", ref("stg_logs__clicks")) }}

{% endif %}
