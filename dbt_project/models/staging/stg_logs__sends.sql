with source as (select * from {{ source("logs", "sends") }})

select
    message_id,
    campaign_id,
    contact_id,
    mobile_number,
    sent_at,
    segments,
    skip_reason,
    provider,
    cost,
    cost_currency,
    log_date,
    source_file,
    row_number
from source
