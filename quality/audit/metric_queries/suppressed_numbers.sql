select
    numbers,
    contacts,
    share(numbers, contacts) as suppressed_per_contact,
    share(numbers, bounces) as suppressed_per_hard_bounce
from (select count(*) as numbers from suppressed_numbers)
cross join
    (
        select coalesce(sum(unique_sends), 0) as contacts, coalesce(sum(hard_bounces), 0) as bounces
        from campaign_overview
    )
