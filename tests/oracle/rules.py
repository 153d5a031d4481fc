"""The rules of the oracle that several marts share: settings, repeated rows, statuses, money, attribution.

Not here: the marts (`marts`, `insights`); typing of rows (`admission`).
"""

import csv
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
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
    """The settings that affect figures, by the names of their variables."""

    reporting_currency: str = "USD"
    conversion_window_hours: int = 120
    conversion_rate_denominator: str = "unique_clickers"
    hard_bounce_suppression: bool = True
    hard_bounces_to_suppress: int = 3
    report_timezone: str = "UTC"
    bot_clicks: str = "count"
    bot_click_seconds: str = "2"
    attribution_half_life_hours: int = 168
    what_if_windows: str = "24,72,120,168,720"


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


def rate(numerator: int, denominator: int) -> float | None:
    return numerator / denominator if denominator else None


def data_until(rows: dict[str, list[dict]]) -> date | None:
    """The latest log date with rows."""
    return max((row["log_date"] for of_log in rows.values() for row in of_log), default=None)
