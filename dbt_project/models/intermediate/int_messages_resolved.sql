with receipts as (

    select * from {{ ref('stg_logs__receipts') }}

),

provider_statuses as (

    select * from {{ ref('int_provider_statuses_mapped') }}

),

sends as (

    select * from {{ ref('int_sends_deduplicated') }}
    where skip_reason is null

),

-- Delivered before the other final statuses before pending; the earliest delivered, the latest of the others. A moment
-- between 1990 and 2099 is less than 2^52 microseconds.
receipts_ranked as (

    select
        receipts.message_id,
        provider_statuses.provider_status_number,
        case
            when provider_statuses.delivery_status = 'delivered'
                then 3 * 4503599627370496 - {{ microseconds_of('receipts.occurred_at') }}
            when provider_statuses.delivery_status = 'pending'
                then {{ microseconds_of('receipts.occurred_at') }}
            when provider_statuses.delivery_status is not null
                then 4503599627370496 + {{ microseconds_of('receipts.occurred_at') }}
        end as moment_rank
    from receipts
    inner join provider_statuses
        on receipts.provider = provider_statuses.provider
        and receipts.provider_status = provider_statuses.provider_status
        and receipts.error_code is not distinct from provider_statuses.error_code

),

-- The deciding receipt as one number, the greatest: neither a sort nor a search for repeated receipts is needed. Null
-- where no receipt of the message could be translated.
messages_reported as (

    select
        message_id,
        max({{ packed('moment_rank', 'provider_status_number') }}) as deciding_receipt
    from receipts_ranked
    group by message_id

),

-- One join for both sides: messages without a receipt, and receipts without a message.
messages as (

    select
        coalesce(sends.message_id, messages_reported.message_id) as message_id,
        sends.message_id is not null as is_sent,
        sends.campaign_id,
        sends.contact_id,
        sends.mobile_number,
        sends.sent_at,
        sends.segments,
        {{ packed_first('messages_reported.deciding_receipt') }} as moment_rank,
        {{ packed_second('messages_reported.deciding_receipt') }} as provider_status_number
    from sends
    full join messages_reported
        on sends.message_id = messages_reported.message_id

)

select
    messages.message_id,
    messages.is_sent,
    messages.campaign_id,
    messages.contact_id,
    messages.mobile_number,
    messages.sent_at,
    messages.segments,
    coalesce(provider_statuses.delivery_status, 'pending') as delivery_status,
    case
        when messages.moment_rank is null
            then messages.sent_at
        when provider_statuses.delivery_status = 'delivered'
            then {{ timestamp_of('3 * 4503599627370496 - messages.moment_rank') }}
        when provider_statuses.delivery_status = 'pending'
            then {{ timestamp_of('messages.moment_rank') }}
        else {{ timestamp_of('messages.moment_rank - 4503599627370496') }}
    end as status_at,
    messages.provider_status_number
from messages
left join provider_statuses
    on messages.provider_status_number = provider_statuses.provider_status_number
