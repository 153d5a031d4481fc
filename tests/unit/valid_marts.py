"""Marts that agree with one another, for tests of checks: in a candidate where a test breaks them by SQL.

Not here: the checks (`quality.audit`, `dbt_project/tests`).
"""

from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache

import duckdb
import polars as pl

from models.marts import BASE_MARTS, DBT_MARTS, columns, qualified

SCHEMA = "candidate.marts"
NOON = datetime(2026, 1, 5, 12)
CAMPAIGNS, CONTACTS = 40, 5
MINUTE = timedelta(minutes=1)


def campaign(number: int) -> str:
    return f"c{number:02}"


@cache
def valid_marts() -> dict[str, pl.DataFrame]:
    """Marts that agree with one another: 40 campaigns to 5 contacts each, of whom one clicks and orders.

    Campaign c40 was skipped for its one contact, c41 is known to the campaigns log alone; unsubscribes and hard bounces
    stand in the first ten campaigns, skipped messages in the first twenty.
    """
    marts: dict[str, list[dict]] = {mart: [] for mart in BASE_MARTS}
    for number in range(CAMPAIGNS + 2):
        marts["campaigns"].append(
            {
                "campaign_id": campaign(number),
                "campaign_name": f"Campaign {number}",
                "campaign_type": "SMS",
                "body": "Hello",
                "last_modified_by": "editor",
                "last_modified_at": NOON,
            }
        )
    for number in range(CAMPAIGNS):
        _add_contacts(marts, number)
        _add_order(marts, number)
    for number in [*range(20), CAMPAIGNS]:
        marts["skip_reasons"].append(
            {
                "campaign_id": campaign(number),
                "campaign_name": f"Campaign {number}",
                "contact_id": "skipped",
                "message_id": f"s{number}",
                "mobile_number": f"+4477009{number:05}",
                "skip_reason": "ContentTooLong",
                "skip_reason_details": "Too long.",
                "skipped_at": NOON,
            }
        )
    for number in range(10):
        _add_unsubscribe(marts, number)
    marts["attributed_unsubscribes"].append({"contact_id": "nobody", "unsubscribed_at": NOON})
    unconverted = {"contact_id": "p39-0", "ordered_at": NOON + 5 * MINUTE, "currency": "CHF"}
    unconverted |= {"total": Decimal(10), "refunded_amount": Decimal(0)}
    reason = {"reason": "no_exchange_rate"}
    marts["unconverted_orders"] = [{"order_id": order, **unconverted, **reason} for order in ("u1", "u2")]
    marts["attributed_orders"].append(
        {"order_id": "u1", "campaign_id": "c39", "attribution": "direct", "clicked_at": NOON, "click_id": "k39"}
        | unconverted
    )
    marts["unmapped_receipts"].append(
        {
            "provider": "twilio",
            "provider_status": "strange",
            "receipts": 2,
            "messages": 1,
            "first_occurred_at": NOON,
            "last_occurred_at": NOON,
        }
    )
    marts["unmatched_events"] = [
        {"log": "receipts", "kind": "message_not_sent", "events": 2, "first_at": NOON, "last_at": NOON},
        {"log": "clicks", "kind": "campaign_never_sent", "events": 0},
        {"log": "unsubscribes", "kind": "nothing_sent_before", "events": 1, "first_at": NOON, "last_at": NOON},
    ]
    _add_totals(marts)
    return {mart: pl.DataFrame(rows, schema=polars_types(mart)) for mart, rows in marts.items()}


def polars_types(mart: str) -> dict[str, pl.DataType]:
    return {name: column.dtype.type for name, column in BASE_MARTS[mart].contract.to_schema().columns.items()}


def _status(number: int, contact: int) -> str:
    if contact < CONTACTS - 1:
        return "delivered"
    return "hard_bounce" if number < 10 else "pending"


def _add_contacts(marts: dict[str, list[dict]], number: int) -> None:
    for contact in range(CONTACTS):
        status = _status(number, contact)
        receipt = {} if status == "pending" else {"provider": "twilio", "provider_status": status}
        row = {
            "campaign_id": campaign(number),
            "contact_id": f"p{number}-{contact}",
            "mobile_number": f"+4479{number:04}{contact:04}",
            "delivery_status": status,
            "messages_sent": 1,
            "message_id": f"m{number}-{contact}",
            "last_sent_at": NOON,
            "status_at": NOON + (MINUTE if receipt else 0 * MINUTE),
            **receipt,
        }
        marts["delivery_status"].append(row)
        if status == "hard_bounce" and number < 4:
            suppressed = {name: row[name] for name in ("mobile_number", "campaign_id", "message_id", "contact_id")}
            marts["suppressed_numbers"].append(suppressed | {"suppressed_at": row["status_at"]})


def _add_order(marts: dict[str, list[dict]], number: int) -> None:
    """An order of each campaign; of every other one, assisted by the next campaign."""
    order = {
        "order_id": f"o{number}",
        "contact_id": f"p{number}-0",
        "ordered_at": NOON + 5 * MINUTE,
        "revenue": Decimal("10.50"),
        "currency": "USD",
        "total": Decimal("10.50"),
        "refunded_amount": Decimal(0),
    }
    direct = {"campaign_id": campaign(number), "attribution": "direct", "clicked_at": NOON + MINUTE}
    marts["attributed_orders"].append(order | direct | {"click_id": f"k{number}"})
    if number % 2 == 0:
        assisted = {"campaign_id": campaign(number + 1), "attribution": "assisted", "clicked_at": NOON}
        marts["attributed_orders"].append(order | assisted | {"click_id": f"a{number}"})


def _add_unsubscribe(marts: dict[str, list[dict]], number: int) -> None:
    marts["attributed_unsubscribes"].append(
        {
            "contact_id": f"p{number}-1",
            "unsubscribed_at": NOON + MINUTE,
            "source": "reply",
            "campaign_id": campaign(number),
            "campaign_name": f"Campaign {number}",
            "message_id": f"m{number}-1",
            "sent_at": NOON,
        }
    )


def _add_totals(marts: dict[str, list[dict]]) -> None:
    for number in range(CAMPAIGNS + 1):
        key = {"campaign_id": campaign(number), "campaign_name": f"Campaign {number}"}
        of_campaign = {
            mart: [row for row in rows if row.get("campaign_id") == key["campaign_id"]] for mart, rows in marts.items()
        }
        statuses = [row["delivery_status"] for row in of_campaign["delivery_status"]]
        orders = {
            kind: [row for row in of_campaign["attributed_orders"] if row["attribution"] == kind]
            for kind in ("direct", "assisted")
        }
        revenue = {kind: sum(row.get("revenue", 0) for row in rows) for kind, rows in orders.items()}
        unsubscribes, clickers = len(of_campaign["attributed_unsubscribes"]), 1 if statuses else 0
        delivered = statuses.count("delivered")
        marts["campaign_metrics"].append(
            key
            | {
                "last_sent_at": NOON if statuses else None,
                "click_to_delivered_rate": clickers / delivered if delivered else None,
                "conversion_rate": len(orders["direct"]) / clickers if clickers else None,
                "direct_orders": len(orders["direct"]),
                "assisted_orders": len(orders["assisted"]),
                "last_modified_by": "editor",
                "revenue": revenue["direct"],
                "assisted_revenue": revenue["assisted"],
                "total_segments": len(statuses) * 2,
                "total_clicks": clickers * 2,
                "total_delivered": delivered,
                "total_sent": len(statuses),
                "campaign_type": "SMS",
                "unique_clickers": clickers,
                "unsubscribes": unsubscribes,
            }
        )
        if clickers:
            marts["campaign_clicks_by_minute"].append(
                {"campaign_id": key["campaign_id"], "minute_at": NOON, "clicks": clickers * 2}
            )
            marts["campaign_clicks_hourly"].append(
                {
                    "campaign_id": key["campaign_id"],
                    "hour_at": NOON,
                    "clicks": clickers * 2,
                    "unique_clickers": clickers,
                }
            )
        marts["campaign_overview"].append(
            key
            | {
                "revenue": revenue["direct"],
                "unique_sends": len(statuses),
                "unique_deliveries": delivered,
                "pending": statuses.count("pending"),
                "soft_bounces": 0,
                "hard_bounces": statuses.count("hard_bounce"),
                "deleted": 0,
                "unsubscribes": unsubscribes,
            }
        )


def candidate(marts: dict[str, pl.DataFrame], *changes: str) -> duckdb.DuckDBPyConnection:
    """A candidate with these rows, in tables as the contracts have them; changes are SQL, in its schema."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute(f"attach ':memory:' as candidate; create schema {SCHEMA}; use {SCHEMA}")
    connection.execute("create schema candidate.insights")
    for mart in DBT_MARTS:
        declared = ", ".join(f"{column.name} {column.sql_type}" for column in columns(mart))
        connection.execute(f"create table {qualified(mart)} ({declared})")
        if mart in marts:
            connection.register("rows", marts[mart].to_arrow())
            connection.execute(f"insert into {mart} from rows")
            connection.unregister("rows")
    for change in changes:
        connection.execute(change)
    connection.execute("use memory.main")
    return connection
