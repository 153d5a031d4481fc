{{ config(meta={'touched_by': {'touched_clicks': ['campaign_id']}}) }}

-- depends_on: {{ ref('touched_clicks') }}

with clicks as (

    select * from {{ ref('int_clicks_deduplicated') }}
    {%- if is_incremental() %}
    semi join (select distinct campaign_id from {{ ref('touched_clicks') }}) using (campaign_id)
    {%- endif %}

),

campaign_clickers as (

    select
        campaign_id,
        contact_id,
        count(*) as clicks,
        min(clicked_at) as first_clicked_at,
        max(clicked_at) as last_clicked_at
    from clicks
    group by campaign_id, contact_id

)

select
    campaign_id,
    cast(sum(clicks) as bigint) as total_clicks,
    count(*) as unique_clickers,
    min(first_clicked_at) as first_clicked_at,
    max(last_clicked_at) as last_clicked_at
from campaign_clickers
group by campaign_id
