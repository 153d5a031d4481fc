{{ config(meta={'touched_by': {'touched_clicks': ['campaign_id']}}) }}

-- depends_on: {{ ref('touched_clicks') }}

with clicks as (

    select * from {{ ref('int_clicks_deduplicated') }}
    {%- if is_incremental() %}
    semi join (select distinct campaign_id from {{ ref('touched_clicks') }}) using (campaign_id)
    {%- endif %}

)

select
    cast(campaign_id as string) as campaign_id,
    cast(date_trunc('hour', clicked_at) as timestamp) as hour_at,
    cast(count(*) as bigint) as clicks,
    cast(count(distinct contact_id) as bigint) as unique_clickers
from clicks
group by campaign_id, date_trunc('hour', clicked_at)
