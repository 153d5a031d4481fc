with
    attributed_unsubscribes as (select * from {{ ref("attributed_unsubscribes") }} where campaign_id is not null),

    suppressed_numbers as (select * from {{ ref("suppressed_numbers") }}),

    delivery_status as (select * from {{ ref("delivery_status") }})

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
