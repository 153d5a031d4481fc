with campaigns as (select * from {{ ref("int_campaigns_deduplicated") }})

select
    cast(campaign_id as string) as campaign_id,
    cast(campaign_name as string) as campaign_name,
    cast(campaign_type as string) as campaign_type,
    cast(body as string) as body,
    cast(media_url as string) as media_url,
    cast(sender as string) as sender,
    cast(max_segments as bigint) as max_segments,
    cast(modified_by as string) as last_modified_by,
    cast(modified_at as timestamp) as last_modified_at
from campaigns
