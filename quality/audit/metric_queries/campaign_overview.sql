select
    coalesce(sum(unique_sends), 0) as contacts,
    sum(hard_bounces) as hard_bounces,
    sum(unsubscribes) as unsubscribes,
    share(sum(soft_bounces), contacts) as soft_bounce_share,
    share(sum(hard_bounces), contacts) as hard_bounce_share,
    share(sum(deleted), contacts) as deleted_share,
    share(sum(unsubscribes), contacts) as unsubscribe_share
from campaign_overview
