with sends as (

    select * from {{ ref('int_sends_deduplicated') }}

),

messages as (

    select * from {{ ref('int_messages_resolved') }}
    where is_sent

),

campaigns as (

    select campaign_id
    from sends
    group by campaign_id

),

campaign_messages as (

    select
        campaign_id,
        max(sent_at) as last_sent_at,
        sum(segments) as total_segments,
        count(*) filter (where delivery_status = 'delivered') as total_delivered,
        count(*) as total_sent
    from messages
    group by campaign_id

)

select
    campaigns.campaign_id,
    campaign_messages.last_sent_at,
    cast(coalesce(campaign_messages.total_segments, 0) as bigint) as total_segments,
    coalesce(campaign_messages.total_delivered, 0) as total_delivered,
    coalesce(campaign_messages.total_sent, 0) as total_sent
from campaigns
left join campaign_messages
    on campaigns.campaign_id = campaign_messages.campaign_id
