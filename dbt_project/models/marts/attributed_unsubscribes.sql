with
    unsubscribes as (select * from {{ ref("int_unsubscribes_attributed") }}),

    campaigns as (select * from {{ ref("int_campaigns_deduplicated") }})

select
    cast(unsubscribes.contact_id as string) as contact_id,
    cast(unsubscribes.unsubscribed_at as timestamp) as unsubscribed_at,
    cast(unsubscribes.source as string) as source,
    cast(unsubscribes.campaign_id as string) as campaign_id,
    cast(campaigns.campaign_name as string) as campaign_name,
    cast(unsubscribes.message_id as string) as message_id,
    cast(unsubscribes.sent_at as timestamp) as sent_at
from unsubscribes
left join campaigns on unsubscribes.campaign_id = campaigns.campaign_id
