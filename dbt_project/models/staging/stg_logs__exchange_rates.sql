with source as (select * from {{ source("logs", "exchange_rates") }})

select rate_date, currency, rate, base_currency, log_date, source_file, row_number
from source
