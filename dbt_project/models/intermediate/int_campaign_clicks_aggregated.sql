with clicks as (

    select * from {{ ref('int_clicks_deduplicated') }}

),

campaign_clickers as (

    select
        campaign_id,
        contact_id,
        count(*) as clicks
    from clicks
    group by campaign_id, contact_id

)

select
    campaign_id,
    cast(sum(clicks) as bigint) as total_clicks,
    count(*) as unique_clickers
from campaign_clickers
group by campaign_id
