with
    messages_not_sent as (select * from {{ ref("int_messages_resolved") }} where not is_sent),

    receipts_unmatched as (select * from {{ ref("int_receipts_unmatched") }}),

    messages_unmatched as (select message_id from receipts_unmatched group by message_id)

select messages_not_sent.message_id as message_not_sent, messages_unmatched.message_id as message_unmatched
from messages_not_sent
full join messages_unmatched on messages_not_sent.message_id = messages_unmatched.message_id
where
    messages_not_sent.message_id is null
    -- A message that was skipped need not have a receipt.
    or (messages_unmatched.message_id is null and messages_not_sent.skip_reason is null)
