"""The history of one contact: messages, statuses, clicks, orders, unsubscribes, skipped messages and suppression, in time order.

No mart is sorted by contact: each is scanned for it, which takes a tenth of a second of CPU for ten million rows. So a page
scans each mart once.

Not here: lists of contacts (`reports.queries.listings.people`, `reports.queries.campaign`).
"""

import re

from models.insights import SCHEMA as INSIGHTS_SCHEMA
from models.marts import NUMBER, NUMBER_HASH
from reports.database import INSIGHTS, MARTS, Published, Row, Selection
from reports.queries.listings.listing import Reader, Shown, words_sql
from reports.words import BOT_RULES, DELIVERY_STATUSES, FAILURE_REASONS
from warehouse.duckdb_tools import local_time_sql, masked_id, masked_words

MOST_EVENTS = 5_000
MOST_CONTACTS = 20

COLUMNS = (
    Shown("at", "When", "moment"),
    Shown("event", "What"),
    Shown("details", "Details", "long_text"),
    Shown("campaign_name", "Campaign", "campaign"),
)

_ERASED = re.compile(r"erased-[0-9a-f]{24}")
_NUMBER = re.compile(r"\+?[0-9][0-9 ().-]{5,20}")


def is_erased(contact_id: str) -> bool:
    """Whether an id is the token that an erasure put in the place of a contact."""
    return bool(_ERASED.fullmatch(contact_id))


def whole_number(text: str) -> str | None:
    """The text as a mobile number, in E.164; None if it is none."""
    if not _NUMBER.fullmatch(text):
        return None
    digits = "".join(character for character in text if character.isdigit())
    return f"+{digits.removeprefix('00')}"


def contacts_with(published: Published, number: str) -> list[str]:
    """The contacts with a whole mobile number, in any mart that holds numbers."""
    marts = ("delivery_status", "skip_reasons", "suppressed_numbers")
    parts = " union ".join(f"select contact_id from {MARTS}.{mart} where {NUMBER} = $number" for mart in marts)
    rows = published.rows(
        f"select contact_id from ({parts}) order by contact_id limit {MOST_CONTACTS}", {"number": number}
    )
    return [row["contact_id"] for row in rows if not is_erased(row["contact_id"])]


def history(published: Published, contact_id: str, reader: Reader) -> list[Row]:
    """The events of a contact, the latest first: `at`, `event`, `details`, `campaign_id`, `campaign_name`, `kind`, `number`."""
    query = selected(published, contact_id, reader)
    return published.rows(
        f"select * {query.from_sql} order by {query.order_sql()} limit {MOST_EVENTS}", query.parameters
    )


def selected(published: Published, contact_id: str, reader: Reader) -> Selection:
    """The events of a contact; none of one that was erased."""
    names = f"left join {MARTS}.campaigns as names on events.campaign_id = names.campaign_id"
    query = (
        f"{_events(published, reader)} select events.*, coalesce(names.campaign_name, events.campaign_id) as campaign_name"
        f" from events {names}"
    )
    order = (("at", True), ("step", True), ("event", False), ("details", False), ("campaign_id", False))
    columns = [(column.column, column.label) for column in (*COLUMNS, Shown("campaign_id", "Campaign ID"))]
    where = "where false" if is_erased(contact_id) else ""
    return Selection("delivery_status", where, {"id": contact_id}, order, columns, query)


def _events(published: Published, reader: Reader) -> str:
    """SQL that defines `events`, those of the contact `$id`; each mart is scanned once.

    A message and the events about it are in the order of `step` if they took place at the same time.
    """
    has_insights = published.has(INSIGHTS_SCHEMA, "click_quality")
    number = NUMBER_HASH if published.is_masked else NUMBER
    source, order_id, codes = "source", "order_id", "concat_ws(' ', provider, provider_status, error_code)"
    if reader.masks:
        source, order_id, codes = masked_words(source), masked_id(order_id), masked_words(codes)
    reason = "null"
    if has_insights:
        reason = (
            f"(select any_value({words_sql('reason', FAILURE_REASONS)}) from {INSIGHTS}.delivery_failures as failures"
            " where failures.campaign_id = messages.campaign_id and failures.delivery_status = messages.delivery_status"
            " and failures.provider = lower(messages.provider) and failures.provider_status = messages.provider_status"
            " and failures.error_code is not distinct from messages.error_code)"
        )
    parts = [
        f"""
        select last_sent_at as at, 1 as step, 'message' as kind, 'Message sent' as event,
            if(messages_sent > 1, 'The last of ' || messages_sent || ' messages of this campaign', null) as details,
            campaign_id, {NUMBER} as number
        from messages""",
        f"""
        select status_at, 2, delivery_status, {words_sql("delivery_status", DELIVERY_STATUSES)},
            coalesce({reason} || ' (' || {codes} || ')', {codes}), campaign_id, null
        from messages where provider is not null""",
        f"""
        select skipped_at, 1, 'skipped', 'Skipped: no message sent', skip_reason_details, campaign_id, {NUMBER}
        from skipped""",
        f"""
        select unsubscribed_at, 4, 'unsubscribe', 'Unsubscribed', {source}, campaign_id, null
        from {MARTS}.attributed_unsubscribes where contact_id = $id""",
        f"""
        select ordered_at, 3, if(attribution = 'direct', 'order', 'assisted'),
            if(attribution = 'direct', 'Order', 'Order, assisted'), {_order(order_id, "revenue is null")}, campaign_id, null
        from orders""",
        f"""
        select ordered_at, 3, 'order', 'Order without a campaign', {_order(order_id, "true")}, null, null
        from {MARTS}.unconverted_orders where contact_id = $id and order_id not in (select order_id from orders)""",
        f"""
        select suppressed_at, 5, 'suppressed', 'Number suppressed', 'After hard bounces in a row', campaign_id, {NUMBER}
        from {MARTS}.suppressed_numbers
        where contact_id = $id or {number} in (select {number} from messages union select {number} from skipped)""",
    ]
    if has_insights:
        local = local_time_sql("unsubscribed_at", reader.zone)
        parts += [
            f"""
        select clicked_at, 3, if(is_bot, 'bot', 'click'), if(is_bot, 'Click of a bot', 'Click'),
            {words_sql("rule", BOT_RULES)}, campaign_id, null
        from {INSIGHTS}.click_quality where contact_id = $id""",
            f"""
        select sent_at, 2, 'after_opt_out', 'Sent after an opt-out',
            'Unsubscribed before, ' || strftime({local}, '%Y-%m-%d %H:%M'), campaign_id, null
        from {INSIGHTS}.sent_after_opt_out where contact_id = $id""",
        ]
    return f"""
        with messages as materialized (select * from {MARTS}.delivery_status where contact_id = $id),
        skipped as materialized (select * from {MARTS}.skip_reasons where contact_id = $id),
        orders as materialized (select * from {MARTS}.attributed_orders where contact_id = $id),
        events as ({" union all ".join(parts)})"""


def _order(order_id: str, is_not_in_revenue: str) -> str:
    """The SQL for an order in words."""
    total, refunded = (f"{amount}::decimal(38, 2) || ' ' || currency" for amount in ("total", "refunded_amount"))
    return (
        f"{order_id} || ': ' || {total} || if(refunded_amount > 0, ', refunded ' || {refunded}, '')"
        f" || if({is_not_in_revenue}, ', not in revenue', '')"
    )
