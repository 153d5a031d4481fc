{{ config(meta={"changed_keys": {counted_clicks_this_run(): ["campaign_id"]}}) }}

-- depends_on: {{ ref(counted_clicks_this_run()) }}
with
    clicks as (

        select *
        from {{ counted_clicks() }}
        {%- if is_incremental() %}
            semi join (select distinct campaign_id from {{ ref(counted_clicks_this_run()) }}) using (campaign_id)
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
