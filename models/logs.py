"""The contracts of the raw logs: one class per log, with every rule for its rows. A frame that is checked has two
columns for each: the typed value, null if it could not be parsed, and the text under `written(column)`.

Not here: reading files (`warehouse.ingest`), running the checks (`quality.admission`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import polars as pl

from models.contracts import Contract, Rules, check
from models.enums import Log, OrderStatus, SkipReason
from models.text_types import CAMPAIGN_TYPE, CURRENCY, DATE, ID, INTEGER, STRING, TIMESTAMP, TextType, decimal

if TYPE_CHECKING:
    from pandera.api.polars.types import PolarsData

Timestamp = Annotated[pl.Datetime, "us", None]
Money = Annotated[pl.Decimal, 18, 4]
Cost = Annotated[pl.Decimal, 18, 6]
Rate = Annotated[pl.Decimal, 20, 10]

ADMISSION_VERSION = 1
"""The version of the rules by which records are read and admitted. Raise it with each change by which a record that was
rejected, or a file that was refused, may be valid: the next refresh loads these files again. 0: releases up to 0.3.0.
"""

Rule = dict[str, Any]
"""A rule for the values of a column, as an argument of pandera's `Field`."""

E164: Rule = {
    "str_matches": {
        "pattern": r"^\+[1-9][0-9]{6,14}$",
        "error": "must be an E.164 number: +, then 7 to 15 digits, the first not 0",
    }
}
NOT_NEGATIVE: Rule = {"ge": {"min_value": 0, "error": "must be 0 or more"}}
POSITIVE: Rule = {"gt": {"min_value": 0, "error": "must be more than 0"}}
AT_LEAST_ONE: Rule = {"ge": {"min_value": 1, "error": "must be 1 or more"}}
ONE_BYTE: Rule = {"in_range": {"min_value": 1, "max_value": 255, "error": "must be from 1 to 255"}}
SKIP_REASON: Rule = {"isin": {"allowed_values": list(SkipReason), "error": f"must be one of {', '.join(SkipReason)}"}}
ORDER_STATUS: Rule = {"isin": {"allowed_values": list(OrderStatus), "error": f"must be {' or '.join(OrderStatus)}"}}


def written(column: str) -> str:
    """The name of the column with the original text of `column`, in a frame that is checked."""
    return f"{column}:written"


def required(read_as: TextType, description: str, default: str | None = None, **rules: Any) -> Any:
    """A required column; `default`, as text, replaces a null before the checks."""
    metadata = {"read_as": read_as, "default": default}
    return Rules(description, False, rules, metadata)


def optional(read_as: TextType, description: str, **rules: Any) -> Any:
    """A column that may be empty."""
    metadata = {"read_as": read_as, "default": None}
    return Rules(description, True, rules, metadata)


class LogContract(Contract):
    """The rule of all logs: a value that is not empty must be readable as its type. A frame has the `written` columns, too."""

    @check(".*", regex=True, name="readable", ignore_na=False)
    def readable(cls, data: "PolarsData") -> pl.LazyFrame:
        return data.lazyframe.select(pl.col(data.key).is_not_null() | pl.col(written(data.key)).is_null())


class Campaigns(LogContract):
    """One row per edit of a campaign."""

    campaign_id: pl.String = required(ID, "The campaign.")
    campaign_name: pl.String = required(STRING, "The campaign's name, as its editor wrote it.")
    campaign_type: pl.String = required(CAMPAIGN_TYPE, "SMS or MMS, in upper case.")
    body: pl.String = optional(STRING, "The message text; may hold Liquid markup.")
    media_url: pl.String = optional(STRING, "The picture of an MMS.")
    sender: pl.String = optional(STRING, "The originator shown on the phone.")
    max_segments: pl.Int32 = optional(INTEGER, "The most segments a message of the campaign may have.", **AT_LEAST_ONE)
    modified_by: pl.String = required(STRING, "Who made the edit.")
    modified_at: Timestamp = required(TIMESTAMP, "When the edit was made (UTC).")


class Sends(LogContract):
    """One row per attempt to message one contact, sent or skipped."""

    message_id: pl.String = required(ID, "The attempt to message one contact.")
    campaign_id: pl.String = required(ID, "The campaign it belongs to.")
    contact_id: pl.String = required(ID, "The contact.")
    mobile_number: pl.String = required(STRING, "The contact's number in E.164.", **E164)
    sent_at: Timestamp = required(TIMESTAMP, "When it was handed to the network, or skipped (UTC).")
    segments: pl.Int32 = optional(INTEGER, "The parts of the message, 1 to 255; null only where skipped.", **ONE_BYTE)
    skip_reason: pl.String = optional(STRING, "Why the contact was skipped; null where it was sent.", **SKIP_REASON)
    provider: pl.String = optional(STRING, "Which network or gateway took it.")
    cost: Cost = optional(decimal(18, 6), "What the send was charged, in `cost_currency`.", **NOT_NEGATIVE)
    cost_currency: pl.String = optional(CURRENCY, "The currency of `cost`.")

    @check("segments", error="is required unless the contact was skipped", ignore_na=False)
    def segments_of_what_was_sent(cls, data: "PolarsData") -> pl.LazyFrame:
        return data.lazyframe.select(
            pl.col(written(data.key)).is_not_null() | pl.col(written("skip_reason")).is_not_null()
        )

    @check("cost_currency", error="is required where there is a cost", ignore_na=False)
    def currency_of_cost(cls, data: "PolarsData") -> pl.LazyFrame:
        return data.lazyframe.select(pl.col(written(data.key)).is_not_null() | pl.col(written("cost")).is_null())


class Receipts(LogContract):
    """One row per delivery receipt, in the words of the provider it came from."""

    message_id: pl.String = required(ID, "The message the receipt is for.")
    provider: pl.String = required(STRING, "The vocabulary of status and error code.", default="smpp")
    provider_status: pl.String = required(STRING, "The status as the provider wrote it.")
    error_code: pl.String = optional(STRING, "The error code as the provider wrote it.")
    occurred_at: Timestamp = required(TIMESTAMP, "When the event happened according to the network (UTC).")
    received_at: Timestamp = optional(TIMESTAMP, "When the receipt came in (UTC).")


class Clicks(LogContract):
    """One row per click on a link in a message."""

    click_id: pl.String = required(ID, "The click.")
    campaign_id: pl.String = required(ID, "The campaign whose link was clicked.")
    contact_id: pl.String = required(ID, "The contact who clicked.")
    message_id: pl.String = optional(ID, "The message that held the link.")
    url: pl.String = optional(STRING, "Where the link led.")
    clicked_at: Timestamp = required(TIMESTAMP, "When it was clicked (UTC).")
    user_agent: pl.String = optional(STRING, "The browser, in its own words.")


class Orders(LogContract):
    """One row per state of an order; a later row corrects an earlier one."""

    order_id: pl.String = required(ID, "The order.")
    contact_id: pl.String = required(ID, "The contact who ordered.")
    ordered_at: Timestamp = required(TIMESTAMP, "When the order was placed (UTC).")
    total: Money = required(decimal(18, 4), "What was ordered, in `currency`, before refunds.", **NOT_NEGATIVE)
    refunded_amount: Money = required(decimal(18, 4), "What was paid back, in `currency`; 0 with none.", default="0")
    currency: pl.String = required(CURRENCY, "The currency of both amounts.")
    status: pl.String = required(STRING, "The state of the order.", **ORDER_STATUS)
    updated_at: Timestamp = required(TIMESTAMP, "When this state was written (UTC).")

    @check("refunded_amount", error="must be from 0 to the total")
    def refund_within_total(cls, data: "PolarsData") -> pl.LazyFrame:
        # Not compared with an invalid total.
        not_too_much = (pl.col(data.key) <= pl.col("total")).fill_null(True) | (pl.col("total") < 0)
        return data.lazyframe.select((pl.col(data.key) >= 0) & not_too_much)


class Unsubscribes(LogContract):
    """One row per contact who opted out, each time they did."""

    contact_id: pl.String = required(ID, "The contact who opted out.")
    unsubscribed_at: Timestamp = required(TIMESTAMP, "When (UTC).")
    mobile_number: pl.String = optional(STRING, "The contact's number in E.164.", **E164)
    source: pl.String = optional(STRING, "How: reply, link, manual, …; free text.")


class ExchangeRates(LogContract):
    """One row per day and currency: what one unit was worth in the base currency."""

    rate_date: pl.Date = required(DATE, "The day from which the rate holds.")
    currency: pl.String = required(CURRENCY, "The currency that is converted.")
    rate: Rate = required(decimal(20, 10), "One unit of `currency`, in the base currency.", **POSITIVE)
    base_currency: pl.String = optional(CURRENCY, "The currency converted into; null is the reporting currency.")


_LOGS: dict[Log, tuple[type[LogContract], str]] = {
    Log.CAMPAIGNS: (Campaigns, "modified_at"),
    Log.SENDS: (Sends, "sent_at"),
    Log.RECEIPTS: (Receipts, "occurred_at"),
    Log.CLICKS: (Clicks, "clicked_at"),
    Log.ORDERS: (Orders, "ordered_at"),
    Log.UNSUBSCRIBES: (Unsubscribes, "unsubscribed_at"),
    Log.EXCHANGE_RATES: (ExchangeRates, "rate_date"),
}
"""By log, its contract, and the column with the time of a row's event, by which the rows in the lake are ordered."""

if _missing := [log for log in Log if log not in _LOGS]:
    raise LookupError(
        f"models/logs.py: _LOGS needs {', '.join(_missing)}; CONTRIBUTING.md lists the files of a new log"
    )

CONTRACTS = {log: contract for log, (contract, _) in _LOGS.items()}
EVENT_TIME = {log: column for log, (_, column) in _LOGS.items()}


@dataclass(frozen=True)
class ContactKey:
    """The id of a row, and the columns in which rows with the same id agree, unless two things were given one id."""

    column: str
    same: tuple[str, ...]


CONTACT_KEYS = {
    Log.SENDS: ContactKey("message_id", ("contact_id", "mobile_number")),
    Log.CLICKS: ContactKey("click_id", ("contact_id",)),
    Log.ORDERS: ContactKey("order_id", ("contact_id",)),
}
"""The logs whose rows have an id and a contact. Rows that differ in these columns are in conflict: none repeats the other."""


@dataclass(frozen=True)
class LogColumn:
    """A column of a log, as the load needs it."""

    name: str
    read_as: TextType
    is_required: bool
    default: str | None
    description: str
    allowed_values: tuple[str, ...] = ()
    """The closed list that a value must be in; empty if there is none."""

    @property
    def must_be_in_file(self) -> bool:
        """Whether a CSV or Parquet file without this column is refused; a column with a default may be missing."""
        return self.is_required and self.default is None


COLUMNS: dict[Log, tuple[LogColumn, ...]] = {
    log: tuple(
        LogColumn(
            name,
            rules.metadata["read_as"],
            not rules.nullable,
            rules.metadata["default"],
            rules.description,
            tuple(map(str, rules.checks.get("isin", {}).get("allowed_values", ()))),
        )
        for name, rules in contract.rules().items()
    )
    for log, contract in CONTRACTS.items()
}
