-- The mart is read twice, with few columns each time. DuckDB would keep all rows of one CTE in memory.
with
    unmapped_receipts as (select * from {{ ref("unmapped_receipts") }}),

    contacts_without_receipt as (select * from {{ ref("delivery_status") }} where provider is null),

    -- Joined before it is grouped: few receipts are unmapped.
    unmapped_deciding_receipts as (

        select
            delivery_status.provider, delivery_status.provider_status, delivery_status.error_code, count(*) as contacts
        from {{ ref("delivery_status") }} as delivery_status
        inner join
            unmapped_receipts
            on delivery_status.provider = unmapped_receipts.provider
            and delivery_status.provider_status = unmapped_receipts.provider_status
            and delivery_status.error_code is not distinct from unmapped_receipts.error_code
        group by delivery_status.provider, delivery_status.provider_status, delivery_status.error_code

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
    provider,
    provider_status,
    contacts,
    'a receipt that no provider vocabulary knows decides a status' as problem
from unmapped_deciding_receipts
