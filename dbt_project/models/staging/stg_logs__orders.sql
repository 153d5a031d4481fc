with source as (select * from {{ source("logs", "orders") }})

select
    order_id,
    contact_id,
    ordered_at,
    total,
    refunded_amount,
    currency,
    status,
    updated_at,
    log_date,
    source_file,
    row_number
from source
