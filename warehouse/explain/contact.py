"""Explains a contact: its messages, clicks, orders, unsubscribes and suppressed numbers.

Not here: how numbers are suppressed (`dbt_project/models/intermediate/int_mobile_numbers_suppressed.sql`).
"""

from models.enums import Log
from models.marts import NUMBER_HASH
from warehouse.explain.explanation import Queries, came_in
from warehouse.privacy import load_keyed_hash

_FIGURES = """
    select
        (select count(*) from messages where contact_id = $key and is_sent) as messages_sent,
        (select count(*) from messages where contact_id = $key and not is_sent) as messages_skipped,
        (select count(*) from messages where contact_id = $key and delivery_status = 'delivered') as messages_delivered,
        (select count(*) from clicks where contact_id = $key) as clicks,
        (select count(*) from orders where contact_id = $key) as orders_placed,
        (select count(*) from unsubscribes where contact_id = $key) as unsubscribes"""

_LISTS = (
    (
        Log.SENDS,
        "Messages, the latest first",
        "message_id, campaign_id, mobile_number, sent_at, coalesce(delivery_status, skip_reason) as status, status_at",
        "from messages where contact_id = $key order by sent_at desc, message_id",
    ),
    (
        Log.CLICKS,
        "Clicks, the latest first",
        "click_id, campaign_id, clicked_at",
        "from clicks where contact_id = $key order by clicked_at desc, click_id",
    ),
    (
        Log.ORDERS,
        "Orders, the latest first",
        "order_id, ordered_at, total, refunded_amount, currency, revenue",
        "from orders where contact_id = $key order by ordered_at desc, order_id",
    ),
    (
        Log.UNSUBSCRIBES,
        "Unsubscribes, each with the last message sent before it",
        "unsubscribed_at, source, campaign_id, message_id, sent_at",
        "from unsubscribes where contact_id = $key order by unsubscribed_at desc",
    ),
)
"""The log that the rows came from, the title, columns and query of each list."""


def explain_contact(queries: Queries) -> bool:
    (queries.explanation.conclusion,) = queries.records(_FIGURES)
    if not any(queries.explanation.conclusion.values()) and not queries.records("from orders_rows limit 1"):
        return False
    queries.add_rule_about_bots()
    for log, title, columns, query in _LISTS:
        queries.add_list(title, f"{columns}, {came_in(log)}", query)
    if queries.has_published and queries.add_list(
        "Numbers of the contact that are suppressed, with the message that completed the run of hard bounces",
        "mobile_number, suppressed_at, campaign_id, message_id, contact_id",
        f"from ({_suppressed_numbers(queries)}) order by suppressed_at",
    ):
        queries.add_rules(
            f"A number is suppressed after {queries.settings.hard_bounces_to_suppress} hard bounces in a row, of all"
            " contacts with the number; pending messages do not interrupt a run"
        )
    return True


def _suppressed_numbers(queries: Queries) -> str:
    """A query: the published suppressions of the contact's numbers. A masked number is found by its hash."""
    numbers = "select distinct mobile_number from messages where contact_id = $key"
    columns = queries.records("select column_name from (describe published.marts.suppressed_numbers)")
    if NUMBER_HASH not in {column["column_name"] for column in columns}:
        return f"from published.marts.suppressed_numbers where mobile_number in ({numbers})"
    load_keyed_hash(queries.paths, queries.ledger).create_macro(queries.connection)
    return (
        "select suppressed.* replace (numbers.mobile_number as mobile_number)"
        f" from published.marts.suppressed_numbers as suppressed join ({numbers}) as numbers"
        f" on suppressed.{NUMBER_HASH} = keyed_hash(numbers.mobile_number)"
    )
