select
    count(*) as campaigns,
    coalesce(sum(total_sent), 0) as messages_sent,
    coalesce(sum(total_clicks), 0) as clicks,
    datediff('day', max(last_sent_at), any_value(data_until)) as last_sent_days_behind,
    share_of_campaigns(count_if(campaign_name is null), campaigns) as unnamed_campaigns_share,
    share_of_campaigns(
        count_if(is_sent_lately and campaign_name is null), count_if(is_sent_lately)
    ) as unnamed_campaigns_lately_share,
    share_of_campaigns(count_if(click_to_delivered_rate > 1), campaigns) as campaigns_clicked_beyond_delivered_share,
    share_of_campaigns(count_if(conversion_rate > 1), campaigns) as campaigns_converting_beyond_1_share,
    share(sum(total_delivered), messages_sent) as delivered_share,
    share(sum(total_segments), messages_sent) as segments_per_message,
    share(sum(unique_clickers), sum(total_delivered)) as clickers_per_delivered,
    share(sum(direct_orders), sum(unique_clickers)) as direct_orders_per_clicker
from
    (
        select *, last_sent_at between until - interval 7 days and until as is_sent_lately
        from campaign_metrics
        cross join audit_window
    )
