with
    delivery_status as (select * from {{ ref("delivery_status") }}),

    unmapped_receipts as (select * from {{ ref("unmapped_receipts") }}),

    contacts_without_receipt as (select * from delivery_status where provider is null),

    deciding_receipts as (

        select provider, provider_status, error_code, count(*) as contacts
        from delivery_status
        where provider is not null
        group by provider, provider_status, error_code

    )

select
    campaign_id,
    null as provider,
    null as provider_status,
    count(*) as contacts,
    'error_code is set without a receipt, or status_at is later than last_sent_at' as problem
from contacts_without_receipt
where error_code is not null or status_at > last_sent_at
group by campaign_id

union all

select
    null as campaign_id,
    deciding_receipts.provider,
    deciding_receipts.provider_status,
    deciding_receipts.contacts,
    'a receipt that no provider vocabulary knows decides a status' as problem
from deciding_receipts
inner join
    unmapped_receipts
    on deciding_receipts.provider = unmapped_receipts.provider
    and deciding_receipts.provider_status = unmapped_receipts.provider_status
    and deciding_receipts.error_code is not distinct from unmapped_receipts.error_code
