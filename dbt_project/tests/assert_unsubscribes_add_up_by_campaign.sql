with
    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    attributed_unsubscribes as (select * from {{ ref("attributed_unsubscribes") }} where campaign_id is not null),

    campaign_unsubscribes as (

        select campaign_id, count(distinct contact_id) as unsubscribes from attributed_unsubscribes group by campaign_id

    )

-- The full join keeps a campaign that only attributed_unsubscribes has.
select
    campaign_metrics.campaign_id,
    campaign_metrics.unsubscribes,
    campaign_unsubscribes.campaign_id as campaign_id_attributed,
    campaign_unsubscribes.unsubscribes as unsubscribes_attributed
from campaign_metrics
full join campaign_unsubscribes on campaign_metrics.campaign_id = campaign_unsubscribes.campaign_id
where
    campaign_metrics.campaign_id is null
    or campaign_metrics.unsubscribes <> coalesce(campaign_unsubscribes.unsubscribes, 0)
