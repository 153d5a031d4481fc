{{
    config(
        materialized=incremental_or_table("incremental"), meta={"changed_keys": {"clicks_this_run": ["campaign_id"]}}
    )
}}

-- depends_on: {{ ref('clicks_this_run') }}
with
    clicks as (

        select *
        from {{ ref("int_clicks_deduplicated") }}
        {%- if is_incremental() %}
            semi join (select distinct campaign_id from {{ ref("clicks_this_run") }}) using (campaign_id)
        {%- endif %}

    )

select
    cast(campaign_id as string) as campaign_id,
    cast(date_trunc('hour', clicked_at) as timestamp) as hour_at,
    cast(count(*) as bigint) as clicks,
    cast(count(distinct contact_id) as bigint) as unique_clickers
from clicks
group by campaign_id, date_trunc('hour', clicked_at)
