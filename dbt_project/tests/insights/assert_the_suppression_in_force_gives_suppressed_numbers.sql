with
    suppression_what_if as (select * from {{ ref("suppression_what_if") }}),

    suppressed_numbers as (select * from {{ ref("suppressed_numbers") }}),

    messages as (select * from {{ ref("int_messages_enriched") }}),

    numbers as (select count(*) as numbers from suppressed_numbers),

    messages_after as (

        select
            count(*) as messages,
            count(*) filter (where messages.delivery_status = 'delivered') as delivered,
            coalesce(sum(messages.segments), 0) as segments,
            coalesce(sum(messages.cost), 0) as cost
        from messages
        inner join
            suppressed_numbers
            on messages.mobile_number = suppressed_numbers.mobile_number
            and messages.sent_at > suppressed_numbers.suppressed_at

    ),

    compared_with_the_next_setting as (

        select hard_bounces, numbers, lead(numbers) over (order by hard_bounces) as next_numbers
        from suppression_what_if

    )

select suppression_what_if.hard_bounces
from suppression_what_if
cross join numbers
cross join messages_after
where
    suppression_what_if.is_in_force
    and (
        suppression_what_if.numbers <> numbers.numbers
        or suppression_what_if.messages_after <> messages_after.messages
        or suppression_what_if.delivered_after <> messages_after.delivered
        or suppression_what_if.segments_after <> messages_after.segments
        or suppression_what_if.cost_after <> messages_after.cost
    )

union all

-- More hard bounces suppress no further number.
select hard_bounces
from compared_with_the_next_setting
where numbers < next_numbers
