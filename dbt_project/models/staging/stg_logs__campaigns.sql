with source as (select * from {{ source("logs", "campaigns") }})

select
    campaign_id,
    campaign_name,
    campaign_type,
    body,
    media_url,
    sender,
    max_segments,
    modified_by,
    modified_at,
    log_date,
    source_file,
    row_number
from source
