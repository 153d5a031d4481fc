with
    suppressed_numbers as (select * from {{ ref("suppressed_numbers") }}),

    hard_bounces as (

        select * from {{ ref("int_messages_resolved") }} where is_sent and delivery_status = 'hard_bounce'

    ),

    hard_bounces_by_number as (

        select
            suppressed_numbers.mobile_number,
            count(hard_bounces.message_id) as hard_bounces,
            count(hard_bounces.message_id) filter (
                where
                    hard_bounces.message_id = suppressed_numbers.message_id
                    and hard_bounces.campaign_id = suppressed_numbers.campaign_id
                    and hard_bounces.contact_id = suppressed_numbers.contact_id
                    and hard_bounces.status_at = suppressed_numbers.suppressed_at
            ) as deciding_messages
        from suppressed_numbers
        left join hard_bounces on suppressed_numbers.mobile_number = hard_bounces.mobile_number
        group by suppressed_numbers.mobile_number

    )

select *
from hard_bounces_by_number
where hard_bounces < {{ var("hard_bounces_to_suppress") }} or deciding_messages <> 1
