"""Writes a published file for the measurement of the report pages: marts and insights to their contracts, of any size.

One campaign is large, the others share the remaining contacts. A contact is in several campaigns. The figures agree with each
other where a page joins them; they are no model of a real account.

Not here: requesting the pages (`reports`), building marts from logs (`harness`).
"""

from pathlib import Path

import duckdb

from models.enums import AttributionModel, FailureReason
from models.marts import MARTS, columns, qualified
from warehouse.config import Settings
from warehouse.duckdb_tools import literal

LARGE = "cmp_large"
_START = "timestamp '2025-11-01'"
_DATABASE = "published"

_STATUS = (
    "case when n % 100 < 94 then 'delivered' when n % 100 < 96 then 'pending' when n % 100 < 97 then 'soft_bounce'"
    " when n % 100 < 99 then 'hard_bounce' else 'deleted' end"
)
_MESSAGES = f"""
    select
        campaign_id, campaign_number, n, {_START} + to_hours(campaign_number * 4) as started,
        'ct_' || lpad(((n * 7919 + campaign_number * 104729) % contacts)::varchar, 9, '0') as contact_id,
        '+4477' || lpad((n % 100000000)::varchar, 8, '0') as mobile_number,
        'msg_' || campaign_number || '_' || n as message_id, {_STATUS} as delivery_status,
        started + to_milliseconds(n * 86) as sent_at
    from campaigns_to_write, unnest(range(size)) as numbers(n)
"""
"""The messages, one for each campaign and contact. `campaign_number` is the place of the campaign in time."""

_TABLES = {
    "delivery_status": """
        select *, 1 as messages_sent, sent_at as last_sent_at, sent_at + interval 4 second as status_at,
            'twilio' as provider, delivery_status as provider_status from all_messages order by campaign_id, contact_id""",
    "skip_reasons": """
        select campaign_id, campaign_id as campaign_name, contact_id, 'skipped_' || message_id as message_id, mobile_number,
            if(n % 5 = 0, 'ContentTooLong', 'SkippedHypersonalization') as skip_reason,
            'In a sentence.' as skip_reason_details, sent_at as skipped_at
        from all_messages where n % 20 = 0 order by campaign_id, contact_id""",
    "click_quality": """
        select 'click_' || message_id as click_id, campaign_id, contact_id, sent_at + to_seconds(n % 90000) as clicked_at,
            message_id, (n % 90000) * 1000 as after_ms, n % 9 = 0 as is_bot, if(n % 9 = 0, 'user_agent', null) as rule,
            false as is_before_delivery
        from all_messages where n % 14 = 0 order by campaign_id, contact_id""",
    "attributed_orders": """
        select 'order_' || message_id as order_id, campaign_id, if(n % 9 = 0, 'assisted', 'direct') as attribution,
            contact_id, clicked_at + interval 20 minute as ordered_at, clicked_at, click_id, 10 as revenue,
            'USD' as currency, 10 as total, 0 as refunded_amount
        from (select *, 'click_' || message_id as click_id, sent_at + to_seconds(n % 90000) as clicked_at from all_messages
              where n % 210 = 0) order by campaign_id, order_id""",
    "attributed_unsubscribes": """
        select contact_id, sent_at + interval 1 hour as unsubscribed_at, 'STOP' as source, campaign_id,
            campaign_id as campaign_name, message_id, sent_at from all_messages where n % 350 = 0""",
    "suppressed_numbers": """
        select any_value(mobile_number) as mobile_number, max(sent_at) as suppressed_at, any_value(campaign_id) as campaign_id,
            any_value(message_id) as message_id, contact_id from all_messages where n % 100 = 98 group by contact_id""",
    "sent_after_opt_out": """
        select message_id, campaign_id, contact_id, sent_at - interval 1 day as unsubscribed_at, sent_at,
            86400000 as after_ms, delivery_status from all_messages where n % 3500 = 0""",
    "campaign_clicks_hourly": """
        select campaign_id, date_trunc('hour', clicked_at) as hour_at, count(*) as clicks,
            count(distinct contact_id) as unique_clickers from click_quality group by all""",
    "campaign_overview": """
        select campaign_id, campaign_id as campaign_name, count(*) // 210 * 10 as revenue, count(*) as unique_sends,
            count(*) filter (delivery_status = 'delivered') as unique_deliveries,
            count(*) filter (delivery_status = 'pending') as pending,
            count(*) filter (delivery_status = 'soft_bounce') as soft_bounces,
            count(*) filter (delivery_status = 'hard_bounce') as hard_bounces,
            count(*) filter (delivery_status = 'deleted') as deleted, count(*) // 350 as unsubscribes
        from all_messages group by campaign_id""",
    "campaign_metrics": """
        select *, if(campaign_number % 7 = 0, 'MMS', 'SMS') as campaign_type, 'editor' as last_modified_by,
            unique_clickers / total_delivered as click_to_delivered_rate, direct_orders / unique_clickers as conversion_rate
        from (
            select campaign_id, campaign_number, 'Campaign ' || campaign_number as campaign_name, max(sent_at) as last_sent_at,
                count(*) as total_sent, count(*) as total_segments, 0 as assisted_revenue,
                count(*) filter (delivery_status = 'delivered') as total_delivered, count(*) // 14 as total_clicks,
                count(*) // 14 as unique_clickers, count(*) // 240 as direct_orders, count(*) // 1900 as assisted_orders,
                count(*) // 240 * 10 as revenue, count(*) // 350 as unsubscribes
            from all_messages group by all
        )""",
    "campaigns": """
        select campaign_id, campaign_name, campaign_type, 'A message for {{ contact.first_name }}' as body, 'Sendmart' as sender,
            'editor' as last_modified_by, last_sent_at as last_modified_at from campaign_metrics""",
    "unconverted_orders": """
        select 'unconverted_' || n as order_id, 'ct_000000001' as contact_id, timestamp '2026-06-01' as ordered_at,
            'CHF' as currency, 99 as total, 0 as refunded_amount, 'no_rate' as reason from range(20) as numbers(n)""",
    "campaign_economics": """
        select campaign_id, total_sent as messages_costed, 0 as messages_cost_unconverted, 0 as messages_without_cost,
            1.0 as cost_coverage, total_sent * 0.03 as cost, total_delivered * 0.03 as cost_of_delivered,
            (total_sent - total_delivered) * 0.03 as cost_of_failed, 0 as cost_of_pending, 0.03 as cost_per_message,
            revenue, revenue - total_sent * 0.03 as profit, 0.4 as roi, revenue / total_sent as revenue_per_message
        from campaign_metrics""",
    "delivery_failures": f"""
        select campaign_id, delivery_status, 'twilio' as provider, delivery_status as provider_status,
            (n % 15)::varchar as error_code, {list(map(str, FailureReason))!r}[n % 15 + 1] as reason, n % 2 = 0 as is_permanent,
            'Advice.' as advice, count(*) as messages, count(*) as contacts, 0.1 as share_of_failures,
            count(*) * 0.03 as cost, min(sent_at) as first_status_at, max(sent_at) as last_status_at
        from all_messages where delivery_status not in ('delivered', 'pending') group by all""",
    "delivery_routes": """
        select campaign_id, ['GB', 'US', 'DE', 'FR', 'NL', 'CH', 'SE', 'PL'][n % 8 + 1] as country,
            ['twilio', 'sinch'][n % 2 + 1] as provider, count(*) as messages,
            count(*) filter (delivery_status = 'delivered') as delivered,
            count(*) filter (delivery_status = 'pending') as pending,
            count(*) filter (delivery_status = 'soft_bounce') as soft_bounces,
            count(*) filter (delivery_status = 'hard_bounce') as hard_bounces,
            count(*) filter (delivery_status = 'deleted') as deleted, 0 as without_receipt, 1.0 as receipt_ratio,
            1.0 as final_ratio, delivered / messages as delivery_rate, messages as segments, messages * 0.03 as cost,
            delivered as timed, 0 as clock_skewed, 4000 as p50_ms, 9000 as p90_ms, 20000 as p95_ms, 60000 as p99_ms,
            90000 as max_ms, delivered as within_10_s, delivered as within_60_s, delivered as within_1_h
        from all_messages group by campaign_id, country, provider""",
    "delivery_incidents": """
        select 'sinch' as provider, 'GB' as country, date '2026-05-01' + n::integer * 10 as first_day, first_day as last_day,
            1 as days, 5000 as messages, 900 as failed, 200.0 as expected_failed, 700.0 as excess_failed, 0.18 as failure_rate,
            0.04 as baseline_rate, 9.0 as peak_score, 'network_error' as top_reason, 5 as campaigns, false as is_open
        from range(12) as numbers(n)""",
    "campaign_click_quality": """
        select campaign_id, count(*) as clicks, count(*) filter (is_bot) as bot_clicks, bot_clicks as bot_clicks_user_agent,
            0 as bot_clicks_too_fast, 0 as bot_clicks_sweep, clicks - bot_clicks as human_clicks,
            count(distinct contact_id) as unique_clickers,
            count(distinct contact_id) filter (not is_bot) as human_unique_clickers,
            0.05 as human_click_to_delivered_rate, 0 as direct_orders_from_bots
        from click_quality group by campaign_id""",
    "campaign_links": """
        select campaign_id, 'https://shop.example.com/' || (hash(click_id) % 6) as link, count(*) as clicks,
            count(*) filter (not is_bot) as human_clicks, count(distinct contact_id) as unique_clickers,
            0.16 as share_of_clicks, min(clicked_at) as first_clicked_at, max(clicked_at) as last_clicked_at,
            count(*) // 15 as direct_orders, count(*) // 15 * 10 as revenue
        from click_quality group by all""",
    "campaign_response": """
        select campaign_id, from_minutes, 10 as clicks, 9 as human_clicks, 9 as first_clicks, 0 as unsubscribes,
            1 as direct_orders, 10 as revenue, 0.5 as cumulative_click_share
        from campaign_metrics, unnest([0, 1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440, 2880, 4320, 7200, 10080, null])
            as buckets(from_minutes)""",
    "attribution_models": f"""
        select order_id, campaign_id, model, 1 as touches, 1.0 as weight, 10 as revenue
        from attributed_orders, unnest({list(map(str, AttributionModel))!r}) as models(model)""",
    "campaign_attribution": """
        select campaign_id, model, count(*) as orders, count(*) as credited_orders, sum(revenue) as revenue,
            0 as revenue_over_last from attribution_models group by all""",
    "contact_pressure": """
        select campaign_type, n as messages_before, 100000 as messages, 95000 as delivered, 5000 as clicking,
            200 as unsubscribes, 300 as direct_orders, 3000 as revenue, 3000 as cost, 0.05 as click_rate,
            0.002 as unsubscribe_rate, 0.03 as revenue_per_delivered, 0.0018 as unsubscribe_low, 0.0023 as unsubscribe_high
        from (values ('SMS'), ('MMS')) as types(campaign_type), range(8) as numbers(n)""",
    "daily_totals": """
        select sent_at::date as day, if(campaign_number % 7 = 0, 'MMS', 'SMS') as campaign_type, clock, count(*) as messages,
            count(*) filter (delivery_status = 'delivered') as delivered,
            count(*) filter (delivery_status not in ('delivered', 'pending')) as failed, count(*) as segments,
            count(*) * 0.03 as cost, count(*) // 14 as clicks, count(*) // 350 as unsubscribes,
            count(*) // 240 as direct_orders, count(*) // 240 * 10 as revenue
        from all_messages, (values ('sent'), ('event')) as clocks(clock) group by all""",
    "campaign_metrics_by_window": """
        select campaign_id, window_hours, direct_orders, assisted_orders, revenue, assisted_revenue,
            0.1 as conversion_rate_by_clickers, 0.1 as conversion_rate_by_delivered, 0.1 as conversion_rate_by_sent,
            window_hours = 120 as is_in_force
        from campaign_metrics, unnest([24, 72, 120, 168, 720]) as windows(window_hours)""",
    "suppression_what_if": """
        select n as hard_bounces, 1000 // n as numbers, 100 as messages_after, 90 as delivered_after, 100 as segments_after,
            3 as cost_after, 1 as direct_orders_after, 10 as revenue_after, n = 3 as is_in_force
        from range(1, 11) as numbers(n)""",
    "figure_maturity": """
        select figure, n as age_days, 100000 - 1000 // (n + 1) as known, 100000 as final, known / final as share
        from unnest(['delivered', 'failed', 'clicks', 'direct_orders']) as figures(figure), range(15) as numbers(n)""",
}
"""By table, the query of its rows. A column of the contract that a query lacks is null. Later queries read earlier tables."""


def write_marts(file: Path, contacts: int, all_contacts: int, campaigns: int) -> None:
    """Writes a published file with a campaign of `contacts` among `all_contacts` of `campaigns`."""
    file.parent.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(file)} as {_DATABASE}")
        for schema in {mart.schema for mart in MARTS.values()}:
            connection.execute(f"create schema if not exists {_DATABASE}.{schema}")
        connection.execute(f"use {_DATABASE}")
        schemas = ", ".join(dict.fromkeys(f"{_DATABASE}.{mart.schema}" for mart in MARTS.values()))
        connection.execute(f"set search_path = {literal(schemas.replace(' ', ''))}")
        for mart in MARTS:
            definition = ", ".join(f"{column.name} {column.sql_type}" for column in columns(mart))
            connection.execute(f"create table {qualified(mart)} ({definition})")
        other = max(1, (all_contacts - contacts) // (campaigns - 1))
        connection.execute(
            "create temp table campaigns_to_write as select number as campaign_number,"
            f" if(number = {campaigns // 2}, {literal(LARGE)}, 'cmp_' || lpad(number::varchar, 5, '0')) as campaign_id,"
            f" if(number = {campaigns // 2}, {contacts}, {other}) as size, {max(contacts, all_contacts // 3)} as contacts"
            f" from range({campaigns}) as numbers(number)"
        )
        connection.execute(f"create temp table all_messages as {_MESSAGES}")
        for table, query in _TABLES.items():
            names = {row[0] for row in connection.execute(f"describe {query}").fetchall()}
            selected = ", ".join(column.name for column in columns(table) if column.name in names)
            connection.execute(f"insert into {qualified(table)} by name select {selected} from ({query})")
        connection.execute(
            f"insert into {qualified('build_info')} by name select 'benchmark' as build_id, now()::timestamp as published_at,"
            f" date '2026-09-30' as data_until, '0' as version, {literal(Settings().as_json())} as settings"
        )
        connection.execute(f"checkpoint {_DATABASE}")
