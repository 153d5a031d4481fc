"""The marts of the oracle, computed from typed rows, with the rules for repeated rows, statuses and attribution.

Not here: `build_info`, which describes the build and not the rows; typing of rows (`admission`).
"""

import csv
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from pathlib import Path

from tests.oracle.logs import LOGS
from tests.oracle.values import ascii_upper

VOCABULARY_FILE = Path(__file__).parents[2] / "dbt_project" / "seeds" / "provider_vocabularies.csv"

# Wide enough that nothing but the rounding asked for ever rounds.
EXACT = Context(prec=200, rounding=ROUND_HALF_UP)
CENT = Decimal("0.01")
TOO_MUCH = Decimal(10) ** 16

# Which of several final statuses at one moment decides: the greater.
WEIGHT = {"soft_bounce": 1, "hard_bounce": 2, "deleted": 3}


@dataclass(frozen=True)
class Settings:
    """The settings that affect metrics."""

    reporting_currency: str = "USD"
    conversion_window_hours: int = 120
    conversion_rate_denominator: str = "unique_clickers"
    hard_bounce_suppression: bool = True
    hard_bounces_to_suppress: int = 3


Vocabulary = dict[tuple[str, str, str | None], str]


def load_vocabulary(path: Path = VOCABULARY_FILE) -> Vocabulary:
    with path.open(encoding="utf-8", newline="") as file:
        return {
            (
                ascii_upper(line["provider"]),
                ascii_upper(line["provider_status"]),
                code_key(line["error_code"]) or None,
            ): line["delivery_status"]
            for line in csv.DictReader(file)
        }


def code_key(code: str) -> str:
    """An error code as it is compared: programs that keep codes as floating-point numbers add a point and zeros."""
    digits, point, zeros = code.partition(".")
    is_number = digits.isascii() and digits.isdigit() and point and zeros and not zeros.strip("0")
    return digits if is_number else ascii_upper(code)


# Order among values


def rank(value: object) -> tuple:
    """A sort key for the values of a column: null is the least, strings are ordered by their UTF-8 bytes."""
    if value is None:
        return (0,)
    return (1, value.encode("utf-8") if isinstance(value, str) else value)


def greatest(rows: list[dict], *columns: str) -> dict:
    return max(rows, key=lambda row: [rank(row[column]) for column in columns])


def least(rows: list[dict], *columns: str) -> dict:
    return min(rows, key=lambda row: [rank(row[column]) for column in columns])


def grouped(rows: list[dict], *columns: str) -> dict[tuple, list[dict]]:
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row[column] for column in columns)].append(row)
    return groups


# One row, once

KEYS = {
    "campaigns": ("campaign_id",),
    "sends": ("message_id",),
    "receipts": ("message_id", "provider", "provider_status", "error_code", "occurred_at"),
    "clicks": ("click_id",),
    "orders": ("order_id",),
    "unsubscribes": ("contact_id", "unsubscribed_at"),
    "exchange_rates": ("currency", "rate_date"),
}


def _kept(log: str, rows: list[dict]) -> dict:
    """The row that is kept of those with the same key: by the criteria of the log, then by the other columns."""

    def only(best, value) -> None:
        nonlocal rows
        best_rank = best(rank(value(row)) for row in rows)
        rows = [row for row in rows if rank(value(row)) == best_rank]

    if log == "campaigns":
        only(max, lambda row: row["modified_at"])
    elif log == "sends":
        only(min, lambda row: row["skip_reason"] is not None)
        only(min, lambda row: row["sent_at"])
        only(min, lambda row: row["campaign_id"])
        only(min, lambda row: row["contact_id"])
    elif log == "clicks":
        only(min, lambda row: row["clicked_at"])
        only(min, lambda row: row["campaign_id"])
        only(min, lambda row: row["contact_id"])
    elif log == "orders":
        only(max, lambda row: row["updated_at"])
        only(max, lambda row: row["status"] == "cancelled")
    for column in LOGS[log]:
        only(max, lambda row, column=column: row[column])
    return rows[0]


def deduplicated(log: str, rows: list[dict], settings: Settings) -> list[dict]:
    if log == "exchange_rates":
        rows = [
            row for row in rows if (row["base_currency"] or settings.reporting_currency) == settings.reporting_currency
        ]
    return [_kept(log, group) for group in grouped(rows, *KEYS[log]).values()]


# Statuses


def status_of_receipt(receipt: dict, vocabulary: Vocabulary) -> str | None:
    """The status of a receipt by the vocabulary; None if it is not in it."""
    provider, status = ascii_upper(receipt["provider"]), ascii_upper(receipt["provider_status"])
    if receipt["error_code"] is not None:
        exact = vocabulary.get((provider, status, code_key(receipt["error_code"])))
        if exact is not None:
            return exact
    return vocabulary.get((provider, status, None))


def message_status(receipts: list[dict]) -> tuple[str, dict | None]:
    """The status of a message, and the receipt that decides it. Each receipt has its `status`; only known ones are given."""
    delivered = [receipt for receipt in receipts if receipt["status"] == "delivered"]
    if delivered:
        earliest = min(receipt["occurred_at"] for receipt in delivered)
        at_once = [receipt for receipt in delivered if receipt["occurred_at"] == earliest]
        return "delivered", greatest(at_once, "provider", "provider_status", "error_code")
    final = [receipt for receipt in receipts if receipt["status"] != "pending"]
    candidates = final or receipts
    if not candidates:
        return "pending", None
    latest = max(receipt["occurred_at"] for receipt in candidates)
    at_once = [receipt for receipt in candidates if receipt["occurred_at"] == latest]
    heaviest = max(WEIGHT.get(receipt["status"], 0) for receipt in at_once)
    at_once = [receipt for receipt in at_once if WEIGHT.get(receipt["status"], 0) == heaviest]
    deciding = greatest(at_once, "provider", "provider_status", "error_code")
    return deciding["status"], deciding


def with_status(sent: list[dict], receipts: list[dict]) -> list[dict]:
    """The sent messages, each with its `status`, `status_at` and deciding `receipt`."""
    of_message = grouped(receipts, "message_id")
    messages = []
    for message in sent:
        known = [receipt for receipt in of_message.get((message["message_id"],), []) if receipt["status"]]
        status, deciding = message_status(known)
        status_at = deciding["occurred_at"] if deciding else message["sent_at"]
        messages.append(message | {"status": status, "status_at": status_at, "receipt": deciding})
    return messages


def deciding_message(messages: list[dict]) -> dict:
    """The message that decides the status of a contact, of the campaign's messages to it."""
    delivered = [message for message in messages if message["status"] == "delivered"]
    if delivered:
        return least(delivered, "status_at", "message_id")
    return greatest(messages, "sent_at", "message_id")


# Money


def total_of(amounts) -> Decimal:
    total = Decimal("0.00")
    for amount in amounts:
        total = EXACT.add(total, amount)
    if abs(total) >= TOO_MUCH:
        raise OverflowError(f"{total} does not fit DECIMAL(18,2)")
    return total


def rate_for(order: dict, rates: list[dict], settings: Settings) -> Decimal | None:
    """The rate of the latest day on or before the day of the order; None without one."""
    if order["currency"] == settings.reporting_currency:
        return Decimal(1)
    usable = [
        rate
        for rate in rates
        if rate["currency"] == order["currency"] and rate["rate_date"] <= order["ordered_at"].date()
    ]
    return greatest(usable, "rate_date")["rate"] if usable else None


def converted(order: dict, rates: list[dict], settings: Settings) -> dict:
    """The `revenue` of an order in the reporting currency; None if it has none, for the `reason`."""
    exchange_rate = rate_for(order, rates, settings)
    if exchange_rate is None:
        return {"revenue": None, "reason": "no_exchange_rate"}
    amount = EXACT.subtract(order["total"], order["refunded_amount"])
    # Amounts are never negative, so half up is half away from zero.
    revenue = EXACT.multiply(amount, exchange_rate).quantize(CENT, context=EXACT)
    if revenue >= TOO_MUCH:
        return {"revenue": None, "reason": "revenue_too_large"}
    return {"revenue": revenue, "reason": None}


# Attribution


def attribute_order(order: dict, clicks: list[dict], settings: Settings) -> list[tuple[str, dict]]:
    """The campaigns credited with an order: for each, the attribution and the contact's last click on it in the window.

    `clicks` are those of the order's contact.
    """
    ordered_at = order["ordered_at"]
    opens_at = ordered_at - timedelta(hours=settings.conversion_window_hours)
    in_window = [click for click in clicks if opens_at <= click["clicked_at"] <= ordered_at]
    if not in_window:
        return []
    direct = greatest(in_window, "clicked_at", "click_id")["campaign_id"]
    return [
        ("direct" if campaign_id == direct else "assisted", greatest(on_campaign, "clicked_at", "click_id"))
        for (campaign_id,), on_campaign in grouped(in_window, "campaign_id").items()
    ]


def attribute_unsubscribe(unsubscribe: dict, sent: list[dict]) -> dict | None:
    """The last message sent to the contact at or before the unsubscribe; `sent` is all messages to the contact."""
    before = [message for message in sent if message["sent_at"] <= unsubscribe["unsubscribed_at"]]
    return greatest(before, "sent_at", "message_id") if before else None


def suppressing_message(messages: list[dict], settings: Settings) -> dict | None:
    """The message that completes the first run of hard bounces that is long enough to suppress a number."""
    run = 0
    for message in sorted(messages, key=lambda message: (rank(message["sent_at"]), rank(message["message_id"]))):
        if message["status"] == "pending":
            continue
        run = run + 1 if message["status"] == "hard_bounce" else 0
        if run >= settings.hard_bounces_to_suppress:
            return message
    return None


# The marts


def rate(numerator: int, denominator: int) -> float | None:
    return numerator / denominator if denominator else None


def compute(
    rows: dict[str, list[dict]], settings: Settings | None = None, vocabulary: Vocabulary | None = None
) -> dict[str, list[dict]]:
    """All marts except `build_info`, from accepted rows, which may be repeated."""
    settings = settings or Settings()
    vocabulary = load_vocabulary() if vocabulary is None else vocabulary
    facts = _Facts({log: deduplicated(log, rows.get(log, []), settings) for log in LOGS}, settings, vocabulary)
    return {
        "campaign_metrics": facts.campaign_metrics(),
        "campaign_overview": facts.campaign_overview(),
        "delivery_status": facts.delivery_status(),
        "skip_reasons": facts.skip_reasons(),
        "attributed_unsubscribes": facts.attributed_unsubscribes(),
        "attributed_orders": facts.attributed_orders(),
        "suppressed_numbers": facts.suppressed_numbers(),
        "campaigns": facts.campaigns(),
        "unconverted_orders": facts.unconverted_orders(),
        "unmapped_receipts": facts.unmapped_receipts(),
        "unmatched_events": facts.unmatched_events(),
        "campaign_clicks_hourly": facts.campaign_clicks_hourly(),
    }


class _Facts:
    """Deduplicated rows and values derived from them, with a method for each mart."""

    def __init__(self, kept: dict[str, list[dict]], settings: Settings, vocabulary: Vocabulary):
        self.settings = settings
        self.kept = kept
        self.known = {row["campaign_id"]: row for row in kept["campaigns"]}
        sent = [row for row in kept["sends"] if row["skip_reason"] is None]
        self.skipped = [row for row in kept["sends"] if row["skip_reason"] is not None]
        self.receipts = [row | {"status": status_of_receipt(row, vocabulary)} for row in kept["receipts"]]
        self.sent = with_status(sent, self.receipts)
        # Every campaign that occurs in the sends log, sent or skipped.
        self.campaign_ids = {row["campaign_id"] for row in kept["sends"]}
        self.orders = [
            row | converted(row, kept["exchange_rates"], settings)
            for row in kept["orders"]
            if row["status"] == "placed"
        ]
        clicks = grouped(kept["clicks"], "contact_id")
        self.credits = [
            (order, attribution, click)
            for order in self.orders
            for attribution, click in attribute_order(order, clicks.get((order["contact_id"],), []), settings)
        ]
        sent_to = grouped(self.sent, "contact_id")
        self.unsubscribes = [
            (row, attribute_unsubscribe(row, sent_to.get((row["contact_id"],), []))) for row in kept["unsubscribes"]
        ]
        # The deciding message and all messages, by (campaign, contact).
        self.by_contact = {
            key: (deciding_message(messages), messages)
            for key, messages in grouped(self.sent, "campaign_id", "contact_id").items()
        }

    def _name(self, campaign_id: str | None) -> str | None:
        return self.known[campaign_id]["campaign_name"] if campaign_id in self.known else None

    def _credited(self, campaign_id: str, attribution: str) -> list[dict]:
        return [
            order
            for order, of_kind, click in self.credits
            if of_kind == attribution and click["campaign_id"] == campaign_id
        ]

    def campaign_metrics(self) -> list[dict]:
        return [self._metrics_of(campaign_id) for campaign_id in self.campaign_ids]

    def _metrics_of(self, campaign_id: str) -> dict:
        campaign = self.known.get(campaign_id)
        sent = [message for message in self.sent if message["campaign_id"] == campaign_id]
        clicks = [click for click in self.kept["clicks"] if click["campaign_id"] == campaign_id]
        direct = self._credited(campaign_id, "direct")
        assisted = self._credited(campaign_id, "assisted")
        counts = {
            "unique_clickers": len({click["contact_id"] for click in clicks}),
            "total_delivered": sum(message["status"] == "delivered" for message in sent),
            "total_sent": len(sent),
        }
        return {
            "campaign_id": campaign_id,
            "last_sent_at": max((message["sent_at"] for message in sent), default=None),
            "campaign_name": campaign and campaign["campaign_name"],
            "click_to_delivered_rate": rate(counts["unique_clickers"], counts["total_delivered"]),
            "conversion_rate": rate(len(direct), counts[self.settings.conversion_rate_denominator]),
            "direct_orders": len(direct),
            "assisted_orders": len(assisted),
            "last_modified_by": campaign and campaign["modified_by"],
            "revenue": total_of(order["revenue"] for order in direct if order["revenue"] is not None),
            "assisted_revenue": total_of(order["revenue"] for order in assisted if order["revenue"] is not None),
            "total_segments": sum(message["segments"] for message in sent),
            "total_clicks": len(clicks),
            "campaign_type": campaign and campaign["campaign_type"],
            "unsubscribes": len(
                {
                    unsubscribe["contact_id"]
                    for unsubscribe, message in self.unsubscribes
                    if message is not None and message["campaign_id"] == campaign_id
                }
            ),
        } | counts

    def campaign_overview(self) -> list[dict]:
        overview = []
        for metrics in self.campaign_metrics():
            statuses = [
                deciding["status"]
                for (campaign_id, _), (deciding, _) in self.by_contact.items()
                if campaign_id == metrics["campaign_id"]
            ]
            overview.append(
                {column: metrics[column] for column in ("campaign_id", "campaign_name", "revenue", "unsubscribes")}
                | {
                    "unique_sends": len(statuses),
                    "unique_deliveries": statuses.count("delivered"),
                    "pending": statuses.count("pending"),
                    "soft_bounces": statuses.count("soft_bounce"),
                    "hard_bounces": statuses.count("hard_bounce"),
                    "deleted": statuses.count("deleted"),
                }
            )
        return overview

    def delivery_status(self) -> list[dict]:
        rows = []
        for (campaign_id, contact_id), (deciding, messages) in self.by_contact.items():
            receipt = deciding["receipt"] or {}
            rows.append(
                {
                    "campaign_id": campaign_id,
                    "contact_id": contact_id,
                    "mobile_number": deciding["mobile_number"],
                    "delivery_status": deciding["status"],
                    "messages_sent": len(messages),
                    "message_id": deciding["message_id"],
                    "last_sent_at": max(message["sent_at"] for message in messages),
                    "status_at": deciding["status_at"],
                    "provider": receipt.get("provider"),
                    "provider_status": receipt.get("provider_status"),
                    "error_code": receipt.get("error_code"),
                }
            )
        return rows

    def skip_reasons(self) -> list[dict]:
        """Without `skip_reason_details`, whose wording is free."""
        columns = ("campaign_id", "contact_id", "message_id", "mobile_number", "skip_reason")
        return [
            {column: row[column] for column in columns}
            | {"campaign_name": self._name(row["campaign_id"]), "skipped_at": row["sent_at"]}
            for row in self.skipped
        ]

    def attributed_unsubscribes(self) -> list[dict]:
        rows = []
        for unsubscribe, message in self.unsubscribes:
            message = message or {}
            rows.append(
                {column: unsubscribe[column] for column in ("contact_id", "unsubscribed_at", "source")}
                | {column: message.get(column) for column in ("campaign_id", "message_id", "sent_at")}
                | {"campaign_name": self._name(message.get("campaign_id"))}
            )
        return rows

    def attributed_orders(self) -> list[dict]:
        of_order = ("order_id", "contact_id", "ordered_at", "revenue", "currency", "total", "refunded_amount")
        return [
            {column: order[column] for column in of_order}
            | {column: click[column] for column in ("campaign_id", "clicked_at", "click_id")}
            | {"attribution": attribution}
            for order, attribution, click in self.credits
        ]

    def suppressed_numbers(self) -> list[dict]:
        if not self.settings.hard_bounce_suppression:
            return []
        rows = []
        for (mobile_number,), messages in grouped(self.sent, "mobile_number").items():
            message = suppressing_message(messages, self.settings)
            if message is not None:
                of_message = {column: message[column] for column in ("campaign_id", "message_id", "contact_id")}
                rows.append({"mobile_number": mobile_number, "suppressed_at": message["status_at"]} | of_message)
        return rows

    def campaigns(self) -> list[dict]:
        as_they_are = ("campaign_id", "campaign_name", "campaign_type", "body", "media_url", "sender", "max_segments")
        return [
            {column: row[column] for column in as_they_are}
            | {"last_modified_by": row["modified_by"], "last_modified_at": row["modified_at"]}
            for row in self.kept["campaigns"]
        ]

    def unconverted_orders(self) -> list[dict]:
        columns = ("order_id", "contact_id", "ordered_at", "currency", "total", "refunded_amount", "reason")
        return [{column: row[column] for column in columns} for row in self.orders if row["revenue"] is None]

    def unmapped_receipts(self) -> list[dict]:
        unmapped = [receipt for receipt in self.receipts if receipt["status"] is None]
        return [
            {
                "provider": provider,
                "provider_status": provider_status,
                "error_code": error_code,
                "receipts": len(receipts),
                "messages": len({receipt["message_id"] for receipt in receipts}),
                "first_occurred_at": min(receipt["occurred_at"] for receipt in receipts),
                "last_occurred_at": max(receipt["occurred_at"] for receipt in receipts),
            }
            for (provider, provider_status, error_code), receipts in grouped(
                unmapped, "provider", "provider_status", "error_code"
            ).items()
        ]

    def unmatched_events(self) -> list[dict]:
        messages = {message["message_id"] for message in self.sent}
        campaigns = {message["campaign_id"] for message in self.sent}
        receipts = [row["occurred_at"] for row in self.receipts if row["message_id"] not in messages]
        clicks = [row["clicked_at"] for row in self.kept["clicks"] if row["campaign_id"] not in campaigns]
        unsubscribes = [row["unsubscribed_at"] for row, message in self.unsubscribes if message is None]
        return [
            _unmatched("receipts", "message_not_sent", receipts),
            _unmatched("clicks", "campaign_never_sent", clicks),
            _unmatched("unsubscribes", "nothing_sent_before", unsubscribes),
        ]

    def campaign_clicks_hourly(self) -> list[dict]:
        clicks = [
            row | {"hour_at": row["clicked_at"].replace(minute=0, second=0, microsecond=0)}
            for row in self.kept["clicks"]
        ]
        return [
            {
                "campaign_id": campaign_id,
                "hour_at": hour_at,
                "clicks": len(rows),
                "unique_clickers": len({row["contact_id"] for row in rows}),
            }
            for (campaign_id, hour_at), rows in grouped(clicks, "campaign_id", "hour_at").items()
        ]


def _unmatched(log: str, kind: str, moments: list[datetime]) -> dict:
    return {
        "log": log,
        "kind": kind,
        "events": len(moments),
        "first_at": min(moments, default=None),
        "last_at": max(moments, default=None),
    }


def data_until(rows: dict[str, list[dict]]) -> date | None:
    """The latest log date with rows."""
    return max((row["log_date"] for of_log in rows.values() for row in of_log), default=None)
