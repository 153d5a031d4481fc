"""The SQL of a build's metrics: aggregates of the large marts, and for each mart a query that gives one row of metrics.

A share of a small number is noise: it is null unless the whole is large enough. `count_if` is used in shares alone: it is
null where there is no row.

Not here: running the queries (`quality.audit.metrics`), the ranges that metrics are expected in (`quality.audit.suites`,
`quality.audit.anomalies`).
"""

ENOUGH = 100
"""The fewest messages, contacts, clicks, orders or events that a share is taken of."""

ENOUGH_CAMPAIGNS = 20
"""The fewest campaigns that a share is taken of."""

MACROS = f"""
    create temporary macro share(part, whole) as
        case when whole >= {ENOUGH} then cast(part as double) / whole end;
    create temporary macro share_of_campaigns(part, campaigns) as
        case when campaigns >= {ENOUGH_CAMPAIGNS} then cast(part as double) / campaigns end;
"""

AGGREGATES = {
    # The end of the "lately" windows: a message with a wrong clock, sent far in the future, does not move it.
    "audit_window": """
        select
            data_until,
            least(
                (select max(last_sent_at) from {marts}.delivery_status), cast(data_until + interval 1 day as timestamp)
            ) as until
        from audited_build
    """,
    # One row per campaign and status: the largest mart is read once.
    "status_counts": """
        select
            campaign_id,
            delivery_status,
            count(*) as contacts,
            cast(sum(messages_sent) as bigint) as messages,
            count_if(last_sent_at < settled_before) as settled,
            count_if(last_sent_at < settled_before and provider is null) as settled_without_receipt,
            count_if(last_sent_at between settled_before - interval 2 days and settled_before) as settled_lately,
            count_if(last_sent_at > settled_before + interval 2 days) as sent_lately
        from {marts}.delivery_status
        cross join (select until - interval 3 days as settled_before from audit_window) as settling
        group by campaign_id, delivery_status
    """,
}
"""Temporary tables that metric queries read, by name; over `{marts}` and the table `audited_build`."""

PROVIDERS = """
    select lower(provider), count(*)
    from {marts}.delivery_status
    where provider is not null
    group by 1
    order by 2 desc, 1
    limit 20
"""
"""The providers whose receipts decide the status of most contacts, each with the number of contacts."""

METRICS = {
    "campaign_metrics": """
        select
            count(*) as campaigns,
            coalesce(sum(total_sent), 0) as messages_sent,
            coalesce(sum(total_clicks), 0) as clicks,
            datediff('day', max(last_sent_at), any_value(data_until)) as last_sent_days_behind,
            share_of_campaigns(count_if(campaign_name is null), campaigns) as unnamed_campaigns_share,
            share_of_campaigns(count_if(is_sent_lately and campaign_name is null), count_if(is_sent_lately))
                as unnamed_campaigns_lately_share,
            share_of_campaigns(count_if(click_to_delivered_rate > 1), campaigns)
                as campaigns_clicked_beyond_delivered_share,
            share_of_campaigns(count_if(conversion_rate > 1), campaigns) as campaigns_converting_beyond_1_share,
            share(sum(total_delivered), messages_sent) as delivered_share,
            share(sum(total_segments), messages_sent) as segments_per_message,
            share(sum(unique_clickers), sum(total_delivered)) as clickers_per_delivered,
            share(sum(direct_orders), sum(unique_clickers)) as direct_orders_per_clicker
        from (
            select *, last_sent_at between until - interval 7 days and until as is_sent_lately
            from {marts}.campaign_metrics
            cross join audit_window
        )
    """,
    "campaign_overview": """
        select
            coalesce(sum(unique_sends), 0) as contacts,
            sum(hard_bounces) as hard_bounces,
            sum(unsubscribes) as unsubscribes,
            share(sum(soft_bounces), contacts) as soft_bounce_share,
            share(sum(hard_bounces), contacts) as hard_bounce_share,
            share(sum(deleted), contacts) as deleted_share,
            share(sum(unsubscribes), contacts) as unsubscribe_share
        from {marts}.campaign_overview
    """,
    "delivery_status": """
        select
            coalesce(sum(contacts), 0) as contacts,
            share(sum(messages), sum(contacts)) as messages_per_contact,
            share(sum(settled * is_pending), sum(settled)) as pending_after_three_days_share,
            share(sum(settled_without_receipt), sum(settled)) as without_receipt_after_three_days_share,
            coalesce(sum(settled_lately), 0) as settled_lately,
            coalesce(sum(sent_lately), 0) as sent_lately,
            share(sum(settled_lately * is_pending), sum(settled_lately)) as pending_after_three_days_lately_share,
            share(sum(settled_lately * is_expired), sum(settled_lately)) as expired_after_three_days_lately_share,
            share(sum(sent_lately * is_delivered), sum(sent_lately)) as delivered_lately_share
        from (
            select
                *,
                cast(delivery_status = 'pending' as bigint) as is_pending,
                cast(delivery_status = 'soft_bounce' as bigint) as is_expired,
                cast(delivery_status = 'delivered' as bigint) as is_delivered
            from status_counts
        )
    """,
    "skip_reasons": """
        select
            skipped_messages,
            skipped_messages + sent as messages,
            share(skipped_messages, messages) as skipped_share,
            share(failed, messages) as failed_hypersonalization_share,
            share_of_campaigns(campaigns_skipped, campaigns) as campaigns_wholly_skipped_share
        from (
            select
                count(*) as skipped_messages,
                count(*) filter (where skip_reason = 'FailedHypersonalization') as failed
            from {marts}.skip_reasons
        )
        cross join (
            select
                count(*) as campaigns,
                count_if(total_sent = 0) as campaigns_skipped,
                coalesce(sum(total_sent), 0) as sent
            from {marts}.campaign_metrics
        )
    """,
    "attributed_unsubscribes": """
        select
            count(*) as unsubscribes,
            share(count_if(campaign_id is null), unsubscribes) as unattributed_share,
            share(count_if(source is null), unsubscribes) as without_source_share
        from {marts}.attributed_unsubscribes
    """,
    # A wrong exchange rate shows as two very different rates of a currency. Small amounts are left out: their rates are
    # mostly rounding.
    "attributed_orders": """
        with direct_orders as (
            select attributed.*, metrics.campaign_id is null as is_never_sent
            from {marts}.attributed_orders as attributed
            left join {marts}.campaign_metrics as metrics using (campaign_id)
            where attribution = 'direct'
        ),
        rates as (
            select currency, cast(revenue as double) / cast(total - refunded_amount as double) as rate
            from direct_orders
            where total - refunded_amount >= 10 and revenue >= 10
        ),
        spreads as (
            select max(rate) / min(rate) as spread from rates group by currency
        )
        select
            count(*) as orders,
            coalesce(sum(direct_orders.revenue), 0) as revenue,
            count(*) filter (where direct_orders.revenue is null) as without_revenue,
            (select coalesce(sum(total_clicks), 0) from {marts}.campaign_metrics) as clicks,
            share((select count_if(attribution = 'assisted') from {marts}.attributed_orders), orders)
                as assists_per_order,
            share(count_if(total > 0 and refunded_amount = total), count_if(total > 0)) as refunded_in_full_share,
            share(count_if(is_never_sent), orders) as campaign_never_sent_share,
            (select max(spread) from spreads) as widest_spread_of_a_currency
        from direct_orders
    """,
    "suppressed_numbers": """
        select
            numbers,
            contacts,
            share(numbers, contacts) as suppressed_per_contact,
            share(numbers, bounces) as suppressed_per_hard_bounce
        from (select count(*) as numbers from {marts}.suppressed_numbers)
        cross join (
            select coalesce(sum(unique_sends), 0) as contacts, coalesce(sum(hard_bounces), 0) as bounces
            from {marts}.campaign_overview
        )
    """,
    "campaigns": """
        select
            count(*) as campaigns,
            share_of_campaigns(count_if(trim(coalesce(body, '')) = '' and media_url is null), campaigns)
                as without_content_share,
            share_of_campaigns(
                count_if(campaign_type = 'MMS' and media_url is null), count_if(campaign_type = 'MMS')
            ) as mms_without_picture_share,
            share_of_campaigns(count(distinct campaign_name), campaigns) as names_per_campaign
        from {marts}.campaigns as campaign
    """,
    "unconverted_orders": """
        select orders, currencies, share(without_revenue, direct_orders) as of_attributed_orders_share
        from (select count(*) as orders, count(distinct currency) as currencies from {marts}.unconverted_orders)
        cross join (
            select count(*) as direct_orders, count_if(revenue is null) as without_revenue
            from {marts}.attributed_orders
            where attribution = 'direct'
        )
    """,
    "unmapped_receipts": """
        select kinds, receipts, messages, messages_sent, share(messages, messages_sent) as messages_share
        from (
            select
                count(*) as kinds,
                coalesce(sum(unmapped.receipts), 0) as receipts,
                coalesce(sum(unmapped.messages), 0) as messages
            from {marts}.unmapped_receipts as unmapped
        )
        cross join (select coalesce(sum(total_sent), 0) as messages_sent from {marts}.campaign_metrics)
    """,
    "unmatched_events": """
        select
            kinds,
            receipts,
            clicks,
            clicks + matched_clicks as clicks_of_all,
            messages_sent,
            share(receipts, messages_sent) as receipts_per_message,
            share(clicks, clicks_of_all) as clicks_share,
            share(unsubscribes, (select count(*) from {marts}.attributed_unsubscribes)) as unsubscribes_share
        from (
            select
                count(*) as kinds,
                coalesce(sum(events) filter (where log = 'receipts'), 0) as receipts,
                coalesce(sum(events) filter (where log = 'clicks'), 0) as clicks,
                coalesce(sum(events) filter (where log = 'unsubscribes'), 0) as unsubscribes
            from {marts}.unmatched_events
        )
        cross join (
            select
                coalesce(sum(total_sent), 0) as messages_sent,
                coalesce(sum(total_clicks) filter (where total_sent > 0), 0) as matched_clicks
            from {marts}.campaign_metrics
        )
    """,
    "campaign_clicks_hourly": """
        select
            coalesce(sum(hourly.clicks), 0) as clicks,
            share(max(hourly.clicks), sum(hourly.clicks)) as busiest_hour_share
        from {marts}.campaign_clicks_hourly as hourly
    """,
}
"""By mart, the query of its metrics, over `{marts}`: one row. A mart may have no entry."""
