select
    count(*) as unsubscribes,
    share(count_if(campaign_id is null), unsubscribes) as unattributed_share,
    share(count_if(source is null), unsubscribes) as without_source_share
from attributed_unsubscribes
