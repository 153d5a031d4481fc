with
    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    campaign_overview as (select * from {{ ref("campaign_overview") }})

select
    campaign_metrics.campaign_id as campaign_of_metrics,
    campaign_overview.campaign_id as campaign_of_overview,
    campaign_metrics.revenue as revenue_of_metrics,
    campaign_overview.revenue as revenue_of_overview,
    campaign_metrics.unsubscribes as unsubscribes_of_metrics,
    campaign_overview.unsubscribes as unsubscribes_of_overview
from campaign_metrics
full join campaign_overview on campaign_metrics.campaign_id = campaign_overview.campaign_id
where
    campaign_metrics.campaign_id is null
    or campaign_overview.campaign_id is null
    or campaign_metrics.revenue <> campaign_overview.revenue
    or campaign_metrics.unsubscribes <> campaign_overview.unsubscribes
    or campaign_metrics.campaign_name is distinct from campaign_overview.campaign_name
