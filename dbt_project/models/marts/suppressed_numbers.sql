with mobile_numbers as (select * from {{ ref("int_mobile_numbers_suppressed") }})

select
    cast(mobile_number as string) as mobile_number,
    cast(suppressed_at as timestamp) as suppressed_at,
    cast(campaign_id as string) as campaign_id,
    cast(message_id as string) as message_id,
    cast(contact_id as string) as contact_id
from mobile_numbers
