{{
    config(
        materialized=incremental_or_table("incremental"),
        meta={"changed_keys": {counted_clicks_this_run(): ["campaign_id"]}},
    )
}}

-- depends_on: {{ ref(counted_clicks_this_run()) }}
with
    clicks as (

        select *
        from {{ counted_clicks() }}
        {%- if is_incremental() %}
            semi join (select distinct campaign_id from {{ ref(counted_clicks_this_run()) }}) using (campaign_id)
        {%- endif %}

    )

select
    cast(campaign_id as string) as campaign_id,
    cast(date_trunc('minute', clicked_at) as timestamp) as minute_at,
    cast(count(*) as bigint) as clicks
from clicks
group by campaign_id, date_trunc('minute', clicked_at)
