with source as (select * from {{ source("logs", "clicks") }})

select click_id, campaign_id, contact_id, message_id, url, clicked_at, user_agent, log_date, source_file, row_number
from source
