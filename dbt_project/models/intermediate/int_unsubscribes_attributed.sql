{{ config(meta={'touched_by': {'touched_unsubscribed_contacts': ['contact_id']}}) }}

-- depends_on: {{ ref('touched_unsubscribed_contacts') }}

with unsubscribes as (

    select * from {{ ref('int_unsubscribes_deduplicated') }}
    {%- if is_incremental() %}
    semi join {{ ref('touched_unsubscribed_contacts') }} using (contact_id)
    {%- endif %}

),

unsubscribed_contacts as (

    select contact_id
    from unsubscribes
    group by contact_id

),

-- Few contacts ever unsubscribe: only their messages are put in order.
messages_to_them as (

    select * from {{ ref('int_messages_resolved') }}
    semi join unsubscribed_contacts using (contact_id)
    where is_sent

),

-- A message is the contact's last until the next one. No period is left open: an `or` in the join's condition would
-- turn it into a nested loop.
send_periods as (

    select
        contact_id,
        campaign_id,
        message_id,
        sent_at,
        lead(sent_at, 1, cast('9999-12-31' as timestamp)) over (
            partition by contact_id
            order by sent_at, message_id
        ) as next_sent_at
    from messages_to_them

)

select
    unsubscribes.contact_id,
    unsubscribes.unsubscribed_at,
    unsubscribes.source,
    send_periods.campaign_id,
    send_periods.message_id,
    send_periods.sent_at
from unsubscribes
left join send_periods
    on unsubscribes.contact_id = send_periods.contact_id
    and unsubscribes.unsubscribed_at >= send_periods.sent_at
    and unsubscribes.unsubscribed_at < send_periods.next_sent_at
