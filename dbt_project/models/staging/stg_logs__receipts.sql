with source as (select * from {{ source("logs", "receipts") }})

select message_id, provider, provider_status, error_code, occurred_at, received_at, log_date, source_file, row_number
from source
