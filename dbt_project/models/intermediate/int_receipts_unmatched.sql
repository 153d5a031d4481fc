with receipts as (

    select * from {{ ref('stg_logs__receipts') }}

),

messages_not_sent as (

    select message_id from {{ ref('int_messages_resolved') }}
    where not is_sent

),

receipts_of_them as (

    select receipts.*
    from receipts
    semi join messages_not_sent
        on receipts.message_id = messages_not_sent.message_id

)

select distinct
    message_id,
    provider,
    provider_status,
    error_code,
    occurred_at
from receipts_of_them
