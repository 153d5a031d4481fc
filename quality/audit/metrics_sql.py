"""The SQL of a build's metrics: aggregates of the large marts, and for each mart a query that gives one row of metrics.

A share of a small number is noise: it is null unless the whole is large enough.

Not here: running the queries (`quality.audit.metrics`), the ranges that metrics are expected in (`quality.audit.suites`,
`quality.audit.anomalies`).
"""

ENOUGH = 100
"""The fewest messages, contacts, clicks, orders or events that a share is taken of."""

ENOUGH_CAMPAIGNS = 20
"""The fewest campaigns that a share is taken of."""

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
            count(*) filter (where last_sent_at < settled_before) as settled,
            count(*) filter (where last_sent_at < settled_before and provider is null) as settled_without_receipt,
            count(*) filter (where last_sent_at between settled_before - interval 2 days and settled_before)
                as settled_lately,
            count(*) filter (where last_sent_at > settled_before + interval 2 days) as sent_lately
        from {marts}.delivery_status
        cross join (select until - interval 3 days as settled_before from audit_window) as settling
        group by campaign_id, delivery_status
    """,
    "receipt_counts": """
        select provider, count(*) as contacts
        from {marts}.delivery_status
        where provider is not null
        group by provider
    """,
}
"""Temporary tables that several metric queries read, by name; over `{marts}` and the table `audited_build`."""

MOST_PROVIDERS = 20

PROVIDERS = f"""
    select lower(provider), sum(contacts)
    from receipt_counts
    group by 1
    order by 2 desc, 1
    limit {MOST_PROVIDERS}
"""
"""The providers whose receipts decide the status of most contacts, each with the number of contacts."""


def _share(part: str, whole: str, enough: int = ENOUGH) -> str:
    """A share as SQL: null if the whole is less than `enough`."""
    return f"case when {whole} >= {enough} then cast({part} as double) / {whole} end"


METRICS = {
    "campaign_metrics": f"""
        with metrics as (
            select
                count(*) as campaigns,
                count(*) filter (where campaign_name is null) as unnamed,
                count(*) filter (where click_to_delivered_rate > 1) as clicked_beyond_delivered,
                count(*) filter (where conversion_rate > 1) as converting_beyond_1,
                coalesce(sum(total_sent), 0) as messages,
                coalesce(sum(total_delivered), 0) as delivered,
                coalesce(sum(total_segments), 0) as segments,
                coalesce(sum(unique_clickers), 0) as clickers,
                coalesce(sum(direct_orders), 0) as direct_orders,
                coalesce(sum(total_clicks), 0) as clicks,
                max(last_sent_at) as last_sent_at
            from {{marts}}.campaign_metrics
        ),
        lately as (
            select count(*) as campaigns, count(*) filter (where campaign_name is null) as unnamed
            from {{marts}}.campaign_metrics
            cross join audit_window
            where last_sent_at between until - interval 7 days and until
        )
        select
            metrics.campaigns,
            messages as messages_sent,
            metrics.clicks,
            datediff('day', last_sent_at, data_until) as last_sent_days_behind,
            {_share("metrics.unnamed", "metrics.campaigns", ENOUGH_CAMPAIGNS)} as unnamed_campaigns_share,
            {_share("lately.unnamed", "lately.campaigns", ENOUGH_CAMPAIGNS)} as unnamed_campaigns_lately_share,
            {_share("clicked_beyond_delivered", "metrics.campaigns", ENOUGH_CAMPAIGNS)}
                as campaigns_clicked_beyond_delivered_share,
            {_share("converting_beyond_1", "metrics.campaigns", ENOUGH_CAMPAIGNS)}
                as campaigns_converting_beyond_1_share,
            {_share("delivered", "messages")} as delivered_share,
            {_share("segments", "messages")} as segments_per_message,
            {_share("clickers", "delivered")} as clickers_per_delivered,
            {_share("direct_orders", "clickers")} as direct_orders_per_clicker
        from metrics
        cross join lately
        cross join audit_window
    """,
    "campaign_overview": f"""
        with overview as (
            select
                coalesce(sum(unique_sends), 0) as contacts,
                sum(soft_bounces) as soft_bounces,
                sum(hard_bounces) as hard_bounces,
                sum(deleted) as deleted,
                sum(unsubscribes) as unsubscribes
            from {{marts}}.campaign_overview
        )
        select
            contacts,
            hard_bounces,
            unsubscribes,
            {_share("soft_bounces", "contacts")} as soft_bounce_share,
            {_share("hard_bounces", "contacts")} as hard_bounce_share,
            {_share("deleted", "contacts")} as deleted_share,
            {_share("unsubscribes", "contacts")} as unsubscribe_share
        from overview
    """,
    "delivery_status": f"""
        with statuses as (
            select
                coalesce(sum(contacts), 0) as contacts,
                sum(messages) as messages,
                coalesce(sum(settled), 0) as settled,
                sum(settled) filter (where delivery_status = 'pending') as settled_pending,
                sum(settled_without_receipt) as settled_without_receipt,
                coalesce(sum(settled_lately), 0) as settled_lately,
                sum(settled_lately) filter (where delivery_status = 'pending') as settled_lately_pending,
                sum(settled_lately) filter (where delivery_status = 'soft_bounce') as settled_lately_expired,
                coalesce(sum(sent_lately), 0) as sent_lately,
                sum(sent_lately) filter (where delivery_status = 'delivered') as sent_lately_delivered
            from status_counts
        )
        select
            contacts,
            {_share("messages", "contacts")} as messages_per_contact,
            {_share("coalesce(settled_pending, 0)", "settled")} as pending_after_three_days_share,
            {_share("settled_without_receipt", "settled")} as without_receipt_after_three_days_share,
            settled_lately,
            sent_lately,
            {_share("coalesce(settled_lately_pending, 0)", "settled_lately")} as pending_after_three_days_lately_share,
            {_share("coalesce(settled_lately_expired, 0)", "settled_lately")}
                as expired_after_three_days_lately_share,
            {_share("coalesce(sent_lately_delivered, 0)", "sent_lately")} as delivered_lately_share
        from statuses
    """,
    "skip_reasons": f"""
        with skipped as (
            select
                count(*) as messages,
                count(*) filter (where skip_reason = 'FailedHypersonalization') as failed
            from {{marts}}.skip_reasons
        ),
        metrics as (
            select
                count(*) as campaigns,
                count(*) filter (where total_sent = 0) as campaigns_skipped,
                coalesce(sum(total_sent), 0) as sent
            from {{marts}}.campaign_metrics
        )
        select
            skipped.messages as skipped_messages,
            skipped.messages + sent as messages,
            {_share("skipped.messages", "(skipped.messages + sent)")} as skipped_share,
            {_share("failed", "(skipped.messages + sent)")} as failed_hypersonalization_share,
            {_share("campaigns_skipped", "campaigns", ENOUGH_CAMPAIGNS)} as campaigns_wholly_skipped_share
        from skipped
        cross join metrics
    """,
    "attributed_unsubscribes": f"""
        with unsubscribes as (
            select
                count(*) as unsubscribes,
                count(*) filter (where campaign_id is null) as unattributed,
                count(*) filter (where source is null) as without_source
            from {{marts}}.attributed_unsubscribes
        )
        select
            unsubscribes,
            {_share("unattributed", "unsubscribes")} as unattributed_share,
            {_share("without_source", "unsubscribes")} as without_source_share
        from unsubscribes
    """,
    # A wrong exchange rate shows as two very different rates of a currency. Small amounts are left out: their rates are
    # mostly rounding.
    "attributed_orders": f"""
        with orders as (
            select
                count(*) filter (where attribution = 'direct') as direct,
                count(*) filter (where attribution = 'assisted') as assisted,
                count(*) filter (where attribution = 'direct' and total > 0) as paid,
                count(*) filter (where attribution = 'direct' and total > 0 and refunded_amount = total) as refunded,
                count(*) filter (where attribution = 'direct' and metrics.campaign_id is null) as never_sent,
                count(*) filter (where attribution = 'direct' and attributed.revenue is null) as without_revenue,
                coalesce(sum(attributed.revenue) filter (where attribution = 'direct'), 0) as revenue
            from {{marts}}.attributed_orders as attributed
            left join {{marts}}.campaign_metrics as metrics using (campaign_id)
        ),
        rates as (
            select currency, cast(revenue as double) / cast(total - refunded_amount as double) as rate
            from {{marts}}.attributed_orders
            where attribution = 'direct' and total - refunded_amount >= 10 and revenue >= 10
        ),
        spreads as (
            select max(spread) as widest
            from (select max(rate) / min(rate) as spread from rates group by currency)
        ),
        clicks as (
            select coalesce(sum(total_clicks), 0) as clicks from {{marts}}.campaign_metrics
        )
        select
            direct as orders,
            revenue,
            without_revenue,
            clicks,
            {_share("assisted", "direct")} as assists_per_order,
            {_share("refunded", "paid")} as refunded_in_full_share,
            {_share("never_sent", "direct")} as campaign_never_sent_share,
            widest as widest_spread_of_a_currency
        from orders
        cross join spreads
        cross join clicks
    """,
    "suppressed_numbers": f"""
        with suppressed as (
            select count(*) as numbers from {{marts}}.suppressed_numbers
        ),
        overview as (
            select coalesce(sum(hard_bounces), 0) as hard_bounces, coalesce(sum(unique_sends), 0) as contacts
            from {{marts}}.campaign_overview
        )
        select
            numbers,
            contacts,
            {_share("numbers", "contacts")} as suppressed_per_contact,
            {_share("numbers", "hard_bounces")} as suppressed_per_hard_bounce
        from suppressed
        cross join overview
    """,
    "campaigns": f"""
        with campaigns as (
            select
                count(*) as campaigns,
                count(*) filter (where trim(coalesce(body, '')) = '' and media_url is null) as empty,
                count(*) filter (where campaign_type = 'MMS') as mms,
                count(*) filter (where campaign_type = 'MMS' and media_url is null) as mms_without_picture,
                count(distinct campaign_name) as names
            from {{marts}}.campaigns
        )
        select
            campaigns,
            {_share("empty", "campaigns", ENOUGH_CAMPAIGNS)} as without_content_share,
            {_share("mms_without_picture", "mms", ENOUGH_CAMPAIGNS)} as mms_without_picture_share,
            {_share("names", "campaigns", ENOUGH_CAMPAIGNS)} as names_per_campaign
        from campaigns
    """,
    "unconverted_orders": f"""
        with unconverted as (
            select count(*) as orders, count(distinct currency) as currencies from {{marts}}.unconverted_orders
        ),
        attributed as (
            select count(*) as orders, count(*) filter (where revenue is null) as without_revenue
            from {{marts}}.attributed_orders
            where attribution = 'direct'
        )
        select
            unconverted.orders,
            unconverted.currencies,
            {_share("attributed.without_revenue", "attributed.orders")} as of_attributed_orders_share
        from unconverted
        cross join attributed
    """,
    "unmapped_receipts": f"""
        with unmapped as (
            select
                count(*) as kinds,
                coalesce(sum(receipts), 0) as receipts,
                coalesce(sum(messages), 0) as messages
            from {{marts}}.unmapped_receipts
        ),
        metrics as (
            select coalesce(sum(total_sent), 0) as sent from {{marts}}.campaign_metrics
        )
        select
            kinds,
            receipts,
            messages,
            sent as messages_sent,
            {_share("messages", "sent")} as messages_share
        from unmapped
        cross join metrics
    """,
    "unmatched_events": f"""
        with events as (
            select
                count(*) as kinds,
                coalesce(sum(events) filter (where log = 'receipts'), 0) as receipts,
                coalesce(sum(events) filter (where log = 'clicks'), 0) as clicks,
                coalesce(sum(events) filter (where log = 'unsubscribes'), 0) as unsubscribes
            from {{marts}}.unmatched_events
        ),
        metrics as (
            select
                coalesce(sum(total_sent), 0) as sent,
                coalesce(sum(total_clicks) filter (where total_sent > 0), 0) as clicks
            from {{marts}}.campaign_metrics
        ),
        attributed as (
            select count(*) as unsubscribes from {{marts}}.attributed_unsubscribes
        )
        select
            events.kinds,
            events.receipts,
            events.clicks,
            events.clicks + metrics.clicks as clicks_of_all,
            metrics.sent as messages_sent,
            {_share("events.receipts", "metrics.sent")} as receipts_per_message,
            {_share("events.clicks", "(events.clicks + metrics.clicks)")} as clicks_share,
            {_share("events.unsubscribes", "attributed.unsubscribes")} as unsubscribes_share
        from events
        cross join metrics
        cross join attributed
    """,
    "campaign_clicks_hourly": f"""
        with hours as (
            select coalesce(sum(clicks), 0) as clicks, max(clicks) as clicks_of_busiest_hour
            from {{marts}}.campaign_clicks_hourly
        )
        select clicks, {_share("clicks_of_busiest_hour", "clicks")} as busiest_hour_share
        from hours
    """,
}
"""By mart, the query of its metrics, over `{marts}`: one row. A mart may have no entry."""
