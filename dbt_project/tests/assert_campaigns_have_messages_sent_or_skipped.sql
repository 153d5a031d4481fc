with
    campaign_metrics as (select * from {{ ref("campaign_metrics") }}),

    skip_reasons as (select * from {{ ref("skip_reasons") }}),

    campaign_skips as (select campaign_id, count(*) as messages_skipped from skip_reasons group by campaign_id)

select
    campaign_metrics.campaign_id,
    campaign_skips.campaign_id as campaign_id_skipped,
    campaign_metrics.total_sent,
    campaign_skips.messages_skipped
from campaign_metrics
full join campaign_skips on campaign_metrics.campaign_id = campaign_skips.campaign_id
where
    campaign_metrics.campaign_id is null
    or campaign_metrics.total_sent + coalesce(campaign_skips.messages_skipped, 0) < 1
