with
    attributed_unsubscribes as (select * from {{ ref("attributed_unsubscribes") }}),

    unmatched_events as (select * from {{ ref("unmatched_events") }} where log = 'unsubscribes'),

    unattributed as (select count(*) as unsubscribes from attributed_unsubscribes where campaign_id is null)

select unattributed.unsubscribes, unmatched_events.events
from unattributed
cross join unmatched_events
where unattributed.unsubscribes <> unmatched_events.events
