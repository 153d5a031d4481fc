-- Why were messages skipped, by campaign, and which share of all attempts is that?
with
    skipped as (
        select campaign_id, skip_reason, count(*) as messages
        from skip_reasons
        group by all
    )
select
    campaign_id,
    metrics.campaign_name,
    skipped.skip_reason,
    skipped.messages,
    skipped.messages / (metrics.total_sent + sum(skipped.messages) over (partition by campaign_id)) as share_of_attempts
from skipped
inner join campaign_metrics as metrics using (campaign_id)
order by share_of_attempts desc, campaign_id, skipped.skip_reason;
