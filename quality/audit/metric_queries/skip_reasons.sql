select
    skipped_messages,
    skipped_messages + sent as messages,
    share(skipped_messages, messages) as skipped_share,
    share(failed, messages) as failed_hypersonalization_share,
    share_of_campaigns(campaigns_skipped, campaigns) as campaigns_wholly_skipped_share
from
    (
        select count(*) as skipped_messages, count(*) filter (where skip_reason = 'FailedHypersonalization') as failed
        from skip_reasons
    )
cross join
    (
        select
            count(*) as campaigns, count_if(total_sent = 0) as campaigns_skipped, coalesce(sum(total_sent), 0) as sent
        from campaign_metrics
    )
