"""The small frames that invariants are checked on: one per mart, by campaign or by whatever a fault can be named by.

Large marts are summed up here, in DuckDB; what comes out has a row per campaign (and status, say), never per contact.
Columns that are compared are never null, for a null is no failure to Great Expectations: counts become 0, and
comparisons of columns that may be null are made here, into booleans. Money is compared by difference, in decimals.

Not here: what is expected of the frames (`quality.audit.suites`), totals of a build (`quality.audit.metrics`).
"""

from dataclasses import dataclass
from datetime import date

import duckdb

from quality.audit.formatting import error_text


@dataclass(frozen=True)
class Frame:
    """A frame: its query, over `{marts}`, and the columns that name a row of it in a failure."""

    names: tuple[str, ...]
    sql: str


SHARED = {
    # What "lately" is counted from. A message sent far in the future, by a clock that is wrong, must not move it.
    "audited_moment": """
        select
            data_until,
            least(
                (select max(last_sent_at) from {marts}.delivery_status), cast(data_until + interval 1 day as timestamp)
            ) as until
        from audited_build
    """,
    # The one pass over the largest mart: what comes in its place has a row per campaign and status.
    "audited_statuses": """
        select
            campaign_id,
            delivery_status,
            count(*) as contacts,
            cast(sum(messages_sent) as bigint) as messages,
            max(last_sent_at) as last_sent_at,
            count(*) filter (where provider is null and delivery_status <> 'pending') as final_without_receipt,
            count(*) filter (
                where (provider is null) <> (provider_status is null) or (provider is null and error_code is not null)
            ) as with_half_a_receipt,
            count(*) filter (where provider is null and status_at > last_sent_at) as changed_without_receipt,
            count(*) filter (where last_sent_at < settled_before) as settled,
            count(*) filter (where last_sent_at < settled_before and provider is null) as settled_without_receipt,
            count(*) filter (where last_sent_at between settled_before - interval 2 days and settled_before)
                as settled_lately,
            count(*) filter (where last_sent_at > settled_before + interval 2 days) as sent_lately
        from {marts}.delivery_status
        cross join (select until - interval 3 days as settled_before from audited_moment) as settling
        group by campaign_id, delivery_status
    """,
    "audited_contacts": """
        select campaign_id, contact_id, message_id, mobile_number, delivery_status, status_at
        from {marts}.delivery_status
        semi join (
            select campaign_id, contact_id from {marts}.attributed_unsubscribes
            union
            select campaign_id, contact_id from {marts}.suppressed_numbers
        ) as pointed_at using (campaign_id, contact_id)
    """,
    "audited_receipts": """
        select provider, provider_status, error_code, count(*) as contacts
        from {marts}.delivery_status
        where provider is not null
        group by all
    """,
}
"""What several frames need of the large marts, as temporary tables."""


def share_aggregates(cursor: duckdb.DuckDBPyConnection, schema: str, data_until: date | None) -> list[str]:
    """Computes what several frames and figures need, as temporary tables; what could not be computed, and why, is given
    back, to be told where it is missed.
    """
    faults = []
    cursor.execute("create temporary table audited_build (data_until date)")
    cursor.execute("insert into audited_build values (?)", [data_until])
    for name, query in SHARED.items():
        try:
            cursor.execute(f"create temporary table {name} as {query.format(marts=schema)}")
        except duckdb.Error as error:
            faults.append(f"{name}: {error_text(error)}")
    return faults


FRAMES = {
    "campaign_metrics": Frame(
        ("campaign_id",),
        """
        with sent as (
            select
                campaign_id,
                sum(messages) as messages,
                sum(contacts) filter (where delivery_status = 'delivered') as contacts_delivered,
                sum(messages) filter (where delivery_status = 'delivered') as messages_of_delivered,
                max(last_sent_at) as last_sent_at
            from audited_statuses
            group by campaign_id
        ),
        skipped as (
            select campaign_id, count(*) as messages from {marts}.skip_reasons group by campaign_id
        ),
        orders as (
            select
                campaign_id,
                count(*) filter (where attribution = 'direct') as direct_orders,
                count(*) filter (where attribution = 'assisted') as assisted_orders,
                sum(revenue) filter (where attribution = 'direct') as revenue,
                sum(revenue) filter (where attribution = 'assisted') as assisted_revenue
            from {marts}.attributed_orders
            group by campaign_id
        ),
        unsubscribes as (
            select campaign_id, count(distinct contact_id) as contacts
            from {marts}.attributed_unsubscribes
            group by campaign_id
        ),
        rates as (
            select
                campaign_id,
                cast(direct_orders as double) / nullif(unique_clickers, 0) as per_clicker,
                cast(direct_orders as double) / nullif(total_delivered, 0) as per_delivered,
                cast(direct_orders as double) / nullif(total_sent, 0) as per_sent
            from {marts}.campaign_metrics
        ),
        fitting as (
            select
                campaign_id,
                conversion_rate is not distinct from per_clicker or abs(conversion_rate - per_clicker) < 1e-9
                    as by_clicker,
                conversion_rate is not distinct from per_delivered or abs(conversion_rate - per_delivered) < 1e-9
                    as by_delivered,
                conversion_rate is not distinct from per_sent or abs(conversion_rate - per_sent) < 1e-9 as by_sent
            from rates
            inner join {marts}.campaign_metrics using (campaign_id)
        ),
        -- The denominator is a setting: which one it is shows in the figures, and it is the same for every campaign.
        denominator as (
            select
                count(*) filter (where by_clicker) as by_clicker,
                count(*) filter (where by_delivered) as by_delivered,
                count(*) filter (where by_sent) as by_sent
            from fitting
        ),
        converting as (
            select
                fitting.campaign_id,
                coalesce(
                    case greatest(denominator.by_clicker, denominator.by_delivered, denominator.by_sent)
                        when denominator.by_clicker then fitting.by_clicker
                        when denominator.by_delivered then fitting.by_delivered
                        else fitting.by_sent
                    end,
                    false
                ) as is_as_defined
            from fitting
            cross join denominator
        )
        select
            campaign_id,
            metrics.total_sent is not null as is_in_campaign_metrics,
            coalesce(sent.messages, 0) + coalesce(skipped.messages, 0) as messages_sent_or_skipped,
            coalesce(metrics.total_sent, 0) as total_sent,
            coalesce(sent.messages, 0) as messages_in_delivery_status,
            metrics.last_sent_at is not distinct from sent.last_sent_at as is_last_sent_at_of_delivery_status,
            coalesce(metrics.total_delivered, 0) as total_delivered,
            coalesce(sent.contacts_delivered, 0) as contacts_delivered,
            coalesce(sent.messages_of_delivered, 0) as messages_of_contacts_delivered,
            coalesce(metrics.direct_orders, 0) as direct_orders,
            coalesce(orders.direct_orders, 0) as orders_attributed_direct,
            coalesce(metrics.assisted_orders, 0) as assisted_orders,
            coalesce(orders.assisted_orders, 0) as orders_attributed_assisted,
            coalesce(metrics.revenue, 0) - coalesce(orders.revenue, 0) as revenue_beyond_direct_orders,
            coalesce(metrics.assisted_revenue, 0) - coalesce(orders.assisted_revenue, 0)
                as revenue_beyond_assisted_orders,
            coalesce(metrics.unsubscribes, 0) as unsubscribes,
            coalesce(unsubscribes.contacts, 0) as contacts_unsubscribed,
            coalesce(metrics.total_segments, 0) as total_segments,
            (coalesce(metrics.total_clicks, 0) > 0) = (coalesce(metrics.unique_clickers, 0) > 0)
                as has_clickers_if_clicks,
            coalesce(
                metrics.click_to_delivered_rate is not distinct from click_rate.expected
                or abs(metrics.click_to_delivered_rate - click_rate.expected) < 1e-9,
                false
            ) as is_click_to_delivered_rate_as_defined,
            coalesce(converting.is_as_defined, true) as is_conversion_rate_as_defined
        from {marts}.campaign_metrics as metrics
        full join sent using (campaign_id)
        full join skipped using (campaign_id)
        -- An order may be credited to a campaign that was never sent: it stands in no campaign mart.
        left join orders using (campaign_id)
        left join unsubscribes using (campaign_id)
        left join converting using (campaign_id)
        cross join lateral (
            select cast(metrics.unique_clickers as double) / nullif(metrics.total_delivered, 0) as expected
        ) as click_rate
        """,
    ),
    "campaign_overview": Frame(
        ("campaign_id",),
        """
        with contacts as (
            select campaign_id, sum(contacts) as contacts from audited_statuses group by campaign_id
        )
        select
            campaign_id,
            metrics.total_sent is not null as is_in_campaign_metrics,
            overview.unique_sends is not null as is_in_campaign_overview,
            coalesce(overview.unique_sends, 0) as unique_sends,
            coalesce(contacts.contacts, 0) as contacts_in_delivery_status,
            coalesce(
                overview.unique_deliveries + overview.pending + overview.soft_bounces + overview.hard_bounces
                    + overview.deleted,
                0
            ) as contacts_in_all_tiles,
            coalesce(overview.unique_deliveries, 0) as unique_deliveries,
            coalesce(metrics.total_sent, 0) as total_sent,
            coalesce(metrics.total_delivered, 0) as total_delivered,
            coalesce(overview.revenue, 0) - coalesce(metrics.revenue, 0) as revenue_beyond_campaign_metrics,
            coalesce(overview.unsubscribes, 0) as unsubscribes,
            coalesce(metrics.unsubscribes, 0) as unsubscribes_in_campaign_metrics,
            overview.campaign_name is not distinct from metrics.campaign_name as is_named_as_in_campaign_metrics
        from {marts}.campaign_overview as overview
        full join {marts}.campaign_metrics as metrics using (campaign_id)
        full join contacts using (campaign_id)
        """,
    ),
    "delivery_status": Frame(
        ("campaign_id", "delivery_status"),
        """
        with tiles as (
            unpivot (
                select
                    campaign_id,
                    unique_deliveries as delivered,
                    pending,
                    soft_bounces as soft_bounce,
                    hard_bounces as hard_bounce,
                    deleted
                from {marts}.campaign_overview
            )
            on delivered, pending, soft_bounce, hard_bounce, deleted
            into name delivery_status value contacts
        )
        select
            campaign_id,
            delivery_status,
            coalesce(statuses.contacts, 0) as contacts,
            coalesce(tiles.contacts, 0) as contacts_in_campaign_overview,
            coalesce(statuses.messages, 0) as messages,
            coalesce(statuses.final_without_receipt, 0) as final_without_receipt,
            coalesce(statuses.with_half_a_receipt, 0) as with_half_a_receipt,
            coalesce(statuses.changed_without_receipt, 0) as changed_without_receipt
        from audited_statuses as statuses
        full join (select * from tiles where contacts <> 0) as tiles using (campaign_id, delivery_status)
        """,
    ),
    "skip_reasons": Frame(
        ("campaign_id", "skip_reason"),
        """
        with sent_after_all as (
            select skipped.message_id
            from {marts}.skip_reasons as skipped
            semi join {marts}.delivery_status as sent using (message_id)
        )
        select
            skipped.campaign_id,
            skipped.skip_reason,
            count(*) as messages,
            bool_and(metrics.campaign_id is not null) as is_in_campaign_metrics,
            count(*) filter (where skipped.campaign_name is distinct from metrics.campaign_name)
                as named_unlike_campaign_metrics,
            count(*) filter (where coalesce(trim(skipped.skip_reason_details), '') = '') as without_details,
            count(*) filter (where sent_after_all.message_id is not null) as sent_as_well
        from {marts}.skip_reasons as skipped
        left join {marts}.campaign_metrics as metrics using (campaign_id)
        left join sent_after_all using (message_id)
        group by skipped.campaign_id, skipped.skip_reason
        """,
    ),
    "attributed_unsubscribes": Frame(
        ("campaign_id",),
        """
        select
            unsubscribes.campaign_id,
            count(*) as unsubscribes,
            count(*) filter (
                where (unsubscribes.campaign_id is null) <> (unsubscribes.message_id is null)
                or (unsubscribes.campaign_id is null) <> (unsubscribes.sent_at is null)
            ) as attributed_by_half,
            count(*) filter (where unsubscribes.sent_at > unsubscribes.unsubscribed_at) as sent_only_afterwards,
            count(*) filter (where unsubscribes.campaign_id is not null and contacts.contact_id is null)
                as never_sent_the_campaign,
            count(*) filter (
                where unsubscribes.campaign_name is distinct from metrics.campaign_name
            ) as named_unlike_campaign_metrics
        from {marts}.attributed_unsubscribes as unsubscribes
        left join {marts}.campaign_metrics as metrics using (campaign_id)
        left join audited_contacts as contacts using (campaign_id, contact_id)
        group by unsubscribes.campaign_id
        """,
    ),
    "attributed_orders": Frame(
        ("campaign_id", "attribution"),
        """
        with orders as (
            select
                order_id,
                count(*) filter (where attribution = 'direct') as direct,
                max(clicked_at) filter (where attribution = 'direct') < max(clicked_at) as is_clicked_later,
                count(distinct (contact_id, ordered_at, revenue, currency, total, refunded_amount)) > 1 as is_told_twice
            from {marts}.attributed_orders
            group by order_id
        ),
        faulty as (
            select * from orders where direct <> 1 or is_clicked_later or is_told_twice
        )
        select
            attributed.campaign_id,
            attributed.attribution,
            count(*) as orders,
            count(*) filter (where faulty.direct <> 1) as without_one_direct,
            count(*) filter (where faulty.is_clicked_later) as clicked_later_than_direct,
            count(*) filter (where faulty.is_told_twice) as told_in_two_ways,
            count(*) filter (where attributed.clicked_at > attributed.ordered_at) as clicked_only_afterwards,
            count(*) filter (where attributed.refunded_amount > attributed.total) as refunded_beyond_total,
            count(*) filter (where attributed.refunded_amount = attributed.total and attributed.revenue <> 0)
                as earning_after_full_refund,
            count(*) filter (where attributed.revenue is null and unconverted.order_id is null)
                as without_revenue_and_not_unconverted
        from {marts}.attributed_orders as attributed
        left join faulty using (order_id)
        left join {marts}.unconverted_orders as unconverted using (order_id)
        group by attributed.campaign_id, attributed.attribution
        """,
    ),
    "suppressed_numbers": Frame(
        ("campaign_id",),
        """
        select
            suppressed.campaign_id,
            count(*) as numbers,
            count(*) filter (where contacts.contact_id is null) as never_sent_the_campaign,
            count(*) filter (
                where contacts.message_id = suppressed.message_id
                and (
                    contacts.delivery_status <> 'hard_bounce'
                    or contacts.status_at <> suppressed.suppressed_at
                    or contacts.mobile_number <> suppressed.mobile_number
                )
            ) as without_that_hard_bounce
        from {marts}.suppressed_numbers as suppressed
        left join audited_contacts as contacts using (campaign_id, contact_id)
        group by suppressed.campaign_id
        """,
    ),
    "campaigns": Frame(
        ("campaign_id",),
        """
        select
            campaign_id,
            coalesce(campaigns.campaign_type, 'SMS') as campaign_type,
            coalesce(campaigns.max_segments, 1) as max_segments,
            metrics.total_sent is null or metrics.campaign_name is not distinct from campaigns.campaign_name
                as is_named_alike_in_campaign_metrics,
            metrics.total_sent is null or metrics.campaign_type is not distinct from campaigns.campaign_type
                as is_of_that_type_in_campaign_metrics,
            metrics.total_sent is null or metrics.last_modified_by is not distinct from campaigns.last_modified_by
                as is_of_that_editor_in_campaign_metrics
        from {marts}.campaigns as campaigns
        full join {marts}.campaign_metrics as metrics using (campaign_id)
        """,
    ),
    "unconverted_orders": Frame(
        ("currency",),
        """
        with converted as (
            select currency, min(cast(ordered_at as date)) as first_converted_on
            from {marts}.attributed_orders
            where revenue is not null
            group by currency
        ),
        earning as (
            select distinct order_id from {marts}.attributed_orders where revenue is not null
        )
        select
            unconverted.currency,
            count(*) as orders,
            count(earning.order_id) as with_revenue_all_the_same,
            -- A rate holds from its day on: once an order was converted, so are all later ones in that currency.
            count(*) filter (where cast(unconverted.ordered_at as date) >= converted.first_converted_on)
                as later_than_a_converted_one,
            count(*) filter (where unconverted.refunded_amount > unconverted.total) as refunded_beyond_total
        from {marts}.unconverted_orders as unconverted
        left join earning using (order_id)
        left join converted using (currency)
        group by unconverted.currency
        """,
    ),
    "unmapped_receipts": Frame(
        ("provider", "provider_status", "error_code"),
        """
        select
            unmapped.provider,
            unmapped.provider_status,
            unmapped.error_code,
            unmapped.receipts,
            unmapped.messages,
            unmapped.first_occurred_at,
            unmapped.last_occurred_at,
            coalesce(decided.contacts, 0) as contacts_decided_by_them
        from {marts}.unmapped_receipts as unmapped
        left join audited_receipts as decided
            on unmapped.provider = decided.provider
            and unmapped.provider_status = decided.provider_status
            and unmapped.error_code is not distinct from decided.error_code
        """,
    ),
    "unmatched_events": Frame(
        ("log", "kind"),
        """
        with counted as (
            select 'unsubscribes' as log, count(*) as least, count(*) as most
            from {marts}.attributed_unsubscribes
            where campaign_id is null
            union all
            -- Clicks on campaigns that the sends log does not know stand in no mart.
            select 'clicks' as log, coalesce(sum(total_clicks), 0) as least, null as most
            from {marts}.campaign_metrics
            where total_sent = 0
        )
        select
            unmatched.log,
            unmatched.kind,
            unmatched.log || ' ' || unmatched.kind as log_and_kind,
            unmatched.events,
            coalesce(counted.least, 0) as events_at_least,
            coalesce(counted.most, unmatched.events) as events_at_most,
            (unmatched.events > 0) = (unmatched.first_at is not null)
                and (unmatched.events > 0) = (unmatched.last_at is not null) as is_dated_if_any,
            coalesce(unmatched.first_at <= unmatched.last_at, true) as is_first_before_last
        from {marts}.unmatched_events as unmatched
        left join counted using (log)
        """,
    ),
    "campaign_clicks_hourly": Frame(
        ("campaign_id",),
        """
        with hours as (
            select
                campaign_id,
                cast(sum(clicks) as bigint) as clicks,
                cast(sum(unique_clickers) as bigint) as clickers,
                max(unique_clickers) as most_clickers,
                count(*) filter (where hour_at <> date_trunc('hour', hour_at)) as not_on_the_hour
            from {marts}.campaign_clicks_hourly
            group by campaign_id
        )
        -- Campaigns that were never sent are not in campaign_metrics.
        select
            coalesce(metrics.campaign_id, hours.campaign_id) as campaign_id,
            coalesce(metrics.total_clicks, hours.clicks) as total_clicks,
            coalesce(hours.clicks, 0) as clicks_of_all_hours,
            coalesce(metrics.unique_clickers, hours.clickers) as unique_clickers,
            coalesce(hours.clickers, 0) as clickers_of_all_hours,
            coalesce(hours.most_clickers, 0) as clickers_of_one_hour,
            coalesce(hours.not_on_the_hour, 0) as not_on_the_hour
        from {marts}.campaign_metrics as metrics
        full join hours on metrics.campaign_id = hours.campaign_id
        """,
    ),
}
"""The frame of each mart."""
