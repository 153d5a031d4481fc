with
    sent_after_opt_out as (select * from {{ ref("sent_after_opt_out") }}),

    attributed_unsubscribes as (select * from {{ ref("attributed_unsubscribes") }}),

    messages as (select * from {{ ref("int_messages_resolved") }} where is_sent),

    opted_out_contacts as (

        select contact_id, min(unsubscribed_at) as unsubscribed_at from attributed_unsubscribes group by contact_id

    ),

    messages_after_opt_out as (

        select messages.*
        from messages
        inner join opted_out_contacts on messages.contact_id = opted_out_contacts.contact_id
        where messages.sent_at > opted_out_contacts.unsubscribed_at

    ),

    last_unsubscribes as (

        select sent_after_opt_out.message_id, max(attributed_unsubscribes.unsubscribed_at) as unsubscribed_at
        from sent_after_opt_out
        inner join attributed_unsubscribes on sent_after_opt_out.contact_id = attributed_unsubscribes.contact_id
        where attributed_unsubscribes.unsubscribed_at < sent_after_opt_out.sent_at
        group by sent_after_opt_out.message_id

    ),

    compared as (

        select
            coalesce(sent_after_opt_out.message_id, messages_after_opt_out.message_id) as message_id,
            concat_ws(
                '; ',
                case when sent_after_opt_out.message_id is null then 'the message is not listed' end,
                case
                    when messages_after_opt_out.message_id is null then 'the message was not sent after an unsubscribe'
                end,
                case
                    when
                        sent_after_opt_out.campaign_id <> messages_after_opt_out.campaign_id
                        or sent_after_opt_out.contact_id <> messages_after_opt_out.contact_id
                        or sent_after_opt_out.sent_at <> messages_after_opt_out.sent_at
                        or sent_after_opt_out.delivery_status <> cast(messages_after_opt_out.delivery_status as string)
                    then 'the message is not as it was sent'
                end,
                case
                    when
                        sent_after_opt_out.message_id is not null
                        and sent_after_opt_out.unsubscribed_at is distinct from last_unsubscribes.unsubscribed_at
                    then 'unsubscribed_at is not the last unsubscribe before the message'
                end,
                case when sent_after_opt_out.after_ms < 0 then 'after_ms is negative' end
            ) as problem
        from sent_after_opt_out
        full join messages_after_opt_out on sent_after_opt_out.message_id = messages_after_opt_out.message_id
        left join last_unsubscribes on sent_after_opt_out.message_id = last_unsubscribes.message_id

    )

select *
from compared
where problem <> ''
