with
    attributed_unsubscribes as (select * from {{ ref("attributed_unsubscribes") }} where campaign_id is not null),

    suppressed_numbers as (select * from {{ ref("suppressed_numbers") }}),

    contacts_named as (

        select campaign_id, contact_id
        from attributed_unsubscribes
        union
        select campaign_id, contact_id
        from suppressed_numbers

    ),

    -- Few of all rows: a join with all of them would hold them in memory.
    delivery_status as (

        select campaign_id, contact_id, message_id, mobile_number, delivery_status, status_at
        from {{ ref("delivery_status") }}
        semi join contacts_named using (campaign_id, contact_id)

    )

select
    'attributed_unsubscribes' as mart,
    attributed_unsubscribes.campaign_id,
    attributed_unsubscribes.contact_id,
    'the contact is not in delivery_status' as problem
from attributed_unsubscribes
left join
    delivery_status
    on attributed_unsubscribes.campaign_id = delivery_status.campaign_id
    and attributed_unsubscribes.contact_id = delivery_status.contact_id
where delivery_status.contact_id is null

union all

select
    'suppressed_numbers' as mart,
    suppressed_numbers.campaign_id,
    suppressed_numbers.contact_id,
    'the contact is not in delivery_status, or the message differs there' as problem
from suppressed_numbers
left join
    delivery_status
    on suppressed_numbers.campaign_id = delivery_status.campaign_id
    and suppressed_numbers.contact_id = delivery_status.contact_id
where
    delivery_status.contact_id is null
    or (
        suppressed_numbers.message_id = delivery_status.message_id
        and (
            delivery_status.delivery_status <> 'hard_bounce'
            or delivery_status.status_at <> suppressed_numbers.suppressed_at
            or delivery_status.mobile_number <> suppressed_numbers.mobile_number
        )
    )
