with sends as (

    select * from {{ ref('int_sends_deduplicated') }}
    where skip_reason is not null

),

campaigns as (

    select * from {{ ref('int_campaigns_deduplicated') }}

)

select
    cast(sends.campaign_id as varchar) as campaign_id,
    cast(campaigns.campaign_name as varchar) as campaign_name,
    cast(sends.contact_id as varchar) as contact_id,
    cast(sends.message_id as varchar) as message_id,
    cast(sends.mobile_number as varchar) as mobile_number,
    cast(sends.skip_reason as varchar) as skip_reason,
    cast(
        case sends.skip_reason
            when 'SkippedNoContent'
                then 'The campaign has no content.'
            when 'SkippedHypersonalization'
                then 'Liquid markup in the campaign said to leave this contact out.'
            when 'FailedHypersonalization'
                then 'The Liquid markup in the campaign took too long to load.'
            when 'ContentTooLong'
                then 'The message was longer than the maximum number of segments set, or than 2,000 characters.'
        end as varchar
    ) as skip_reason_details,
    cast(sends.sent_at as timestamp) as skipped_at
from sends
left join campaigns
    on sends.campaign_id = campaigns.campaign_id
