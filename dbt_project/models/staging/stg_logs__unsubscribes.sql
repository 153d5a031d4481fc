with source as (select * from {{ source("logs", "unsubscribes") }})

select contact_id, unsubscribed_at, mobile_number, source, log_date, source_file, row_number
from source
