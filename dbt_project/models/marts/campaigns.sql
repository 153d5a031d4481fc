with campaigns as (

    select * from {{ ref('int_campaigns_deduplicated') }}

)

select
    cast(campaign_id as varchar) as campaign_id,
    cast(campaign_name as varchar) as campaign_name,
    cast(campaign_type as varchar) as campaign_type,
    cast(body as varchar) as body,
    cast(media_url as varchar) as media_url,
    cast(sender as varchar) as sender,
    cast(max_segments as bigint) as max_segments,
    cast(modified_by as varchar) as last_modified_by,
    cast(modified_at as timestamp) as last_modified_at
from campaigns
