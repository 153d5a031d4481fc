"""Explains a contact: its messages, clicks, orders, unsubscribes and suppressed numbers.

Not here: how numbers are suppressed (`dbt_project/models/intermediate/int_mobile_numbers_suppressed.sql`).
"""

from models.marts import NUMBER_HASH
from warehouse.explain.evidence import CAME_IN, Evidence
from warehouse.explain.explanation import Explanation
from warehouse.privacy import load_keyed_hash


def explain_contact(evidence: Evidence, explanation: Explanation) -> bool:
    """Fills an explanation; false if no row of the lake has the id."""
    key = explanation.parameters
    (explanation.conclusion,) = evidence.records(
        "select (select count(*) from messages where contact_id = $key and is_sent) as messages_sent,"
        " (select count(*) from messages where contact_id = $key and not is_sent) as messages_skipped,"
        " (select count(*) from messages where contact_id = $key and delivery_status = 'delivered')"
        " as messages_delivered,"
        " (select count(*) from clicks where contact_id = $key) as clicks,"
        " (select count(*) from orders where contact_id = $key) as orders_placed,"
        " (select count(*) from unsubscribes where contact_id = $key) as unsubscribes",
        key,
    )
    if not any(explanation.conclusion.values()) and not evidence.records("from orders_rows limit 1"):
        return False
    for title, relation, order_by, columns in (
        (
            "Messages, the latest first",
            "messages",
            "sent_at desc, message_id",
            "message_id, campaign_id, mobile_number, sent_at, coalesce(delivery_status, skip_reason) as status,"
            f" status_at, {CAME_IN}",
        ),
        (
            "Clicks, the latest first",
            "clicks",
            "clicked_at desc, click_id",
            f"click_id, campaign_id, clicked_at, {CAME_IN}",
        ),
        (
            "Orders, the latest first",
            "orders",
            "ordered_at desc, order_id",
            f"order_id, ordered_at, total, refunded_amount, currency, revenue, {CAME_IN}",
        ),
        (
            "Unsubscribes, each with the last message sent before it",
            "unsubscribes",
            "unsubscribed_at desc",
            f"unsubscribed_at, source, campaign_id, message_id, sent_at, {CAME_IN}",
        ),
    ):
        evidence.add_list(
            explanation, title, f"from {relation} where contact_id = $key order by {order_by}", columns, key
        )
    if evidence.has_published:
        has_suppressed = evidence.add_list(
            explanation,
            "Numbers of the contact that are suppressed, with the message that completed the run of hard bounces",
            f"from ({_suppressed_numbers(evidence)}) order by suppressed_at",
            "mobile_number, suppressed_at, campaign_id, message_id, contact_id",
            key,
        )
        if has_suppressed:
            explanation.rules.append(
                f"A number is suppressed after {evidence.settings.hard_bounces_to_suppress} hard bounces in a row, of all"
                " contacts with the number; pending messages do not interrupt a run"
            )
    return True


def _suppressed_numbers(evidence: Evidence) -> str:
    """A query: the published suppressions of the contact's numbers. A masked number is found by its hash."""
    numbers = "select distinct mobile_number from messages where contact_id = $key"
    columns = evidence.records("select column_name from (describe published.marts.suppressed_numbers)")
    if NUMBER_HASH not in {column["column_name"] for column in columns}:
        return f"from published.marts.suppressed_numbers where mobile_number in ({numbers})"
    load_keyed_hash(evidence.settings, evidence.paths, evidence.ledger).create_macro(evidence.connection)
    return (
        "select suppressed.* replace (numbers.mobile_number as mobile_number)"
        f" from published.marts.suppressed_numbers as suppressed join ({numbers}) as numbers"
        f" on suppressed.{NUMBER_HASH} = keyed_hash(numbers.mobile_number)"
    )
