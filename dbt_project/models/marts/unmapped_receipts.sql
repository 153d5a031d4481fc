with receipts as (

    select * from {{ ref('int_receipts_unmapped') }}

)

select
    cast(provider as varchar) as provider,
    cast(provider_status as varchar) as provider_status,
    cast(error_code as varchar) as error_code,
    cast(count(*) as bigint) as receipts,
    cast(count(distinct message_id) as bigint) as messages,
    cast(min(occurred_at) as timestamp) as first_occurred_at,
    cast(max(occurred_at) as timestamp) as last_occurred_at
from receipts
group by provider, provider_status, error_code
