with receipts as (select * from {{ ref("int_receipts_unmapped") }})

select
    cast(provider as string) as provider,
    cast(provider_status as string) as provider_status,
    cast(error_code as string) as error_code,
    cast(count(*) as bigint) as receipts,
    cast(count(distinct message_id) as bigint) as messages,
    cast(min(occurred_at) as timestamp) as first_occurred_at,
    cast(max(occurred_at) as timestamp) as last_occurred_at
from receipts
group by provider, provider_status, error_code
