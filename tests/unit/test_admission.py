"""Admission: for every rule of every log, rows that break only this rule, and rows that just keep it."""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest
from pandera.api.polars.types import PolarsData

from models import contracts
from models.enums import Log
from models.logs import COLUMNS, CONTRACTS, EVENT_TIME, LogContract
from models.rejections import ValidationResult
from quality.admission import AdmissionError, validate
from tests.oracle import faults as oracle_faults
from tests.oracle.admission import read_row
from tests.oracle.logs import LOGS as ORACLE_LOGS
from tests.oracle.records import Record
from tests.oracle.renderings import AsIs

# The contract as a table: the type of each column, and whether it is required.
CONTRACT = {
    Log.CAMPAIGNS: {
        "campaign_id": ("id", True),
        "campaign_name": ("string", True),
        "campaign_type": ("campaign type", True),
        "body": ("string", False),
        "media_url": ("string", False),
        "sender": ("string", False),
        "max_segments": ("integer", False),
        "modified_by": ("string", True),
        "modified_at": ("timestamp", True),
    },
    Log.SENDS: {
        "message_id": ("id", True),
        "campaign_id": ("id", True),
        "contact_id": ("id", True),
        "mobile_number": ("string", True),
        "sent_at": ("timestamp", True),
        "segments": ("integer", False),
        "skip_reason": ("string", False),
        "provider": ("string", False),
        "cost": ("decimal(18,6)", False),
        "cost_currency": ("currency", False),
    },
    Log.RECEIPTS: {
        "message_id": ("id", True),
        "provider": ("string", False),
        "provider_status": ("string", True),
        "error_code": ("string", False),
        "occurred_at": ("timestamp", True),
        "received_at": ("timestamp", False),
    },
    Log.CLICKS: {
        "click_id": ("id", True),
        "campaign_id": ("id", True),
        "contact_id": ("id", True),
        "message_id": ("id", False),
        "url": ("string", False),
        "clicked_at": ("timestamp", True),
        "user_agent": ("string", False),
    },
    Log.ORDERS: {
        "order_id": ("id", True),
        "contact_id": ("id", True),
        "ordered_at": ("timestamp", True),
        "total": ("decimal(18,4)", True),
        "refunded_amount": ("decimal(18,4)", False),
        "currency": ("currency", True),
        "status": ("string", True),
        "updated_at": ("timestamp", True),
    },
    Log.UNSUBSCRIBES: {
        "contact_id": ("id", True),
        "unsubscribed_at": ("timestamp", True),
        "mobile_number": ("string", False),
        "source": ("string", False),
    },
    Log.EXCHANGE_RATES: {
        "rate_date": ("date", True),
        "currency": ("currency", True),
        "rate": ("decimal(20,10)", True),
        "base_currency": ("currency", False),
    },
}
REQUIRED = [(log, name) for log, columns in CONTRACT.items() for name, (_, required) in columns.items() if required]
OPTIONAL = [(log, name) for log, columns in CONTRACT.items() for name, (_, required) in columns.items() if not required]

GOOD = {
    Log.CAMPAIGNS: {
        "campaign_id": "c1",
        "campaign_name": "January sale",
        "campaign_type": "SMS",
        "body": "Hi {{ first_name }}",
        "media_url": "https://example.com/a.png",
        "sender": "SHOP",
        "max_segments": "3",
        "modified_by": "ana",
        "modified_at": "2026-01-05T12:00:00Z",
    },
    Log.SENDS: {
        "message_id": "m1",
        "campaign_id": "c1",
        "contact_id": "k1",
        "mobile_number": "+447700900123",
        "sent_at": "2026-01-05T12:00:00Z",
        "segments": "2",
        "skip_reason": None,
        "provider": "twilio",
        "cost": "0.0075",
        "cost_currency": "USD",
    },
    Log.RECEIPTS: {
        "message_id": "m1",
        "provider": "twilio",
        "provider_status": "delivered",
        "error_code": "0",
        "occurred_at": "2026-01-05T12:00:00Z",
        "received_at": "2026-01-05T12:00:01Z",
    },
    Log.CLICKS: {
        "click_id": "x1",
        "campaign_id": "c1",
        "contact_id": "k1",
        "message_id": "m1",
        "url": "https://example.com",
        "clicked_at": "2026-01-05T12:00:00Z",
        "user_agent": "Mozilla/5.0",
    },
    Log.ORDERS: {
        "order_id": "o1",
        "contact_id": "k1",
        "ordered_at": "2026-01-05T12:00:00Z",
        "total": "12.50",
        "refunded_amount": "2.50",
        "currency": "EUR",
        "status": "placed",
        "updated_at": "2026-01-05T12:00:00Z",
    },
    Log.UNSUBSCRIBES: {
        "contact_id": "k1",
        "unsubscribed_at": "2026-01-05T12:00:00Z",
        "mobile_number": "+447700900123",
        "source": "reply",
    },
    Log.EXCHANGE_RATES: {"rate_date": "2026-01-05", "currency": "EUR", "rate": "1.08", "base_currency": "USD"},
}
SKIPPED = {"skip_reason": "SkippedNoContent", "segments": None}


def validated(log: Log, *rows: dict, unreadable=()) -> ValidationResult:
    columns = {name: pl.Series([row.get(name) for row in rows], dtype=pl.String) for name in CONTRACT[log]}
    return validate(log, pl.DataFrame(columns), unreadable)


def reasons(result: ValidationResult) -> dict[int, list[str]]:
    return dict(result.reasons.iter_rows())


def named_columns(row_reasons: list[str]) -> list[str]:
    return [reason.partition(":")[0] for reason in row_reasons]


@pytest.mark.parametrize("log", Log)
def test_the_columns_agree_with_the_contract(log):
    columns = {column.name: column for column in COLUMNS[log]}
    assert list(columns) == list(CONTRACT[log])
    for name, (kind, required) in CONTRACT[log].items():
        dtype = columns[name].read_as.dtype
        written = (
            f"decimal({dtype.precision},{dtype.scale})" if isinstance(dtype, pl.Decimal) else columns[name].read_as.name
        )
        assert (name, written) == (name, kind)
        assert (name, columns[name].must_be_in_file) == (name, required)
    assert CONTRACT[log][EVENT_TIME[log]] in [("timestamp", True), ("date", True)]


@pytest.mark.parametrize("log", Log)
def test_a_good_row_is_accepted_and_typed(log):
    result = validated(log, GOOD[log])
    assert reasons(result) == {}
    (row,) = result.rows.to_dicts()
    for name, (kind, _) in CONTRACT[log].items():
        text = GOOD[log][name]
        if text is None or kind in ("id", "string", "currency", "campaign type"):
            assert row[name] == text
        elif kind == "timestamp":
            assert row[name].replace(tzinfo=UTC) == datetime.fromisoformat(text)
        else:
            assert row[name] == {"date": date.fromisoformat, "integer": int}.get(kind, Decimal)(text)


@pytest.mark.parametrize(("log", "column"), REQUIRED)
@pytest.mark.parametrize("nothing", [None, "", " \t\r\n\x0b\x0c"], ids=["null", "empty", "white space"])
def test_a_missing_required_value_is_the_only_reason(log, column, nothing):
    result = validated(log, GOOD[log], GOOD[log] | {column: nothing}, GOOD[log])
    assert reasons(result) == {1: [f"{column}: is required"]}


@pytest.mark.parametrize(("log", "column"), OPTIONAL)
def test_a_row_without_an_optional_value_is_accepted(log, column):
    row = GOOD[log] | {column: None} | (SKIPPED if column == "segments" else {})
    row |= {"cost": None} if column == "cost_currency" else {}
    result = validated(log, row)
    assert reasons(result) == {}
    defaults = {(Log.RECEIPTS, "provider"): "smpp", (Log.ORDERS, "refunded_amount"): Decimal(0)}
    assert result.rows[column].to_list() == [defaults.get((log, column))]


@dataclass(frozen=True)
class Breach:
    """A good row with `changed` columns. It has one reason, which names `column` and contains `text`."""

    log: Log
    column: str
    changed: dict
    text: str


def breaches(log: Log, column: str, text: str, *values: str) -> list[Breach]:
    return [Breach(log, column, {column: value}, text) for value in values]


UNREADABLE = {
    "id": ("x" * 129, "128"),
    "timestamp": ("2026-02-30T12:00", "moment"),
    "date": ("2026-02-30", "date"),
    "integer": ("1.5", "whole number"),
    "decimal(18,4)": ("12.34567", "decimal"),
    "decimal(18,6)": ("0.0000001", "decimal"),
    "decimal(20,10)": ("1e10", "decimal"),
    "currency": ("US$", "three ASCII letters"),
    "campaign type": ("FAX", "SMS or MMS"),
}
BREACHES = [
    *(
        Breach(log, name, {name: UNREADABLE[kind][0]}, UNREADABLE[kind][1])
        for log, columns in CONTRACT.items()
        for name, (kind, _) in columns.items()
        if kind in UNREADABLE
    ),
    *breaches(Log.CAMPAIGNS, "max_segments", "1 or more", "0", "-1", "-2147483648"),
    *(
        breach
        for log in (Log.SENDS, Log.UNSUBSCRIBES)
        for breach in breaches(
            log,
            "mobile_number",
            "E.164",
            *("447700900123", "+0447700900", "+123456", "+1234567890123456", "+44 7700 900123", "++447700900123"),
            *("00447700900123", "+44770090012x", "+４４77009001", "+", "tel:+447700900123", "+4477009\n00123"),
        )
    ),
    *breaches(Log.SENDS, "segments", "1 to 255", "0", "-1", "256", "2147483647"),
    *breaches(Log.SENDS, "segments", "unless", "", None),
    Breach(Log.SENDS, "segments", SKIPPED | {"segments": "0"}, "1 to 255"),
    Breach(Log.SENDS, "segments", SKIPPED | {"segments": "two"}, "whole number"),
    *breaches(Log.SENDS, "skip_reason", "SkippedNoContent", "skippednocontent", "Skipped", "SkippedNoContent."),
    Breach(Log.SENDS, "skip_reason", {"skip_reason": "nonsense", "segments": None}, "ContentTooLong"),
    *breaches(Log.SENDS, "cost", "0 or more", "-0.000001", "-1"),
    *breaches(Log.SENDS, "cost_currency", "required", "", None),
    Breach(Log.SENDS, "cost_currency", {"cost": "0", "cost_currency": None}, "required"),
    *breaches(Log.ORDERS, "total", "0 or more", "-0.01", "-99999999999999.9999"),
    *breaches(Log.ORDERS, "refunded_amount", "0 to the total", "-0.01", "12.51", "99999999999999.9999"),
    Breach(Log.ORDERS, "refunded_amount", {"total": "0", "refunded_amount": "0.01"}, "0 to the total"),
    *breaches(Log.ORDERS, "status", "placed or cancelled", "PLACED", "Placed", "refunded", "canceled"),
    *breaches(Log.EXCHANGE_RATES, "rate", "more than 0", "0", "-0", "0.00", "-1.08"),
]


@pytest.mark.parametrize("breach", BREACHES, ids=lambda breach: f"{breach.log}-{breach.changed!r}"[:80])
def test_a_row_that_breaks_one_rule_has_one_reason_that_names_column_and_rule(breach):
    good = GOOD[breach.log]
    result = validated(breach.log, good, good | breach.changed, good)
    assert list(reasons(result)) == [1]
    (reason,) = reasons(result)[1]
    assert reason.startswith(f"{breach.column}: ")
    assert breach.text in reason
    assert result.rows.height == 3


KEPT = [
    (Log.CAMPAIGNS, {"campaign_type": "mMs"}, {"campaign_type": "MMS"}),
    (Log.CAMPAIGNS, {"max_segments": "1"}, {"max_segments": 1}),
    (Log.CAMPAIGNS, {"campaign_id": "x" * 128}, {"campaign_id": "x" * 128}),
    (Log.CAMPAIGNS, {"body": "  two\nlines  "}, {"body": "two\nlines"}),
    (Log.SENDS, {"mobile_number": "+1234567"}, {"mobile_number": "+1234567"}),
    (Log.SENDS, {"mobile_number": " +123456789012345 "}, {"mobile_number": "+123456789012345"}),
    (Log.SENDS, {"segments": "1"}, {"segments": 1}),
    (Log.SENDS, {"segments": "255"}, {"segments": 255}),
    (Log.SENDS, {"segments": "2.0"}, {"segments": 2}),
    *((Log.SENDS, SKIPPED | {"skip_reason": reason}, {"skip_reason": reason, "segments": None}) for reason in (
        "SkippedNoContent", "SkippedHypersonalization", "FailedHypersonalization", "ContentTooLong",
    )),
    (Log.SENDS, {"skip_reason": "ContentTooLong", "segments": "255"}, {"segments": 255}),
    (Log.SENDS, {"cost": "0", "cost_currency": "usd"}, {"cost": Decimal(0), "cost_currency": "USD"}),
    (Log.SENDS, {"cost": None}, {"cost": None, "cost_currency": "USD"}),
    (Log.RECEIPTS, {"provider": " "}, {"provider": "smpp"}),
    (Log.RECEIPTS, {"provider": "PLIVO", "provider_status": "DelivRd"}, {"provider": "PLIVO", "provider_status": "DelivRd"}),
    (Log.RECEIPTS, {"error_code": "007"}, {"error_code": "007"}),
    (Log.RECEIPTS, {"error_code": "30003.0"}, {"error_code": "30003.0"}),
    (Log.ORDERS, {"refunded_amount": ""}, {"refunded_amount": Decimal(0)}),
    (Log.ORDERS, {"refunded_amount": "12.50"}, {"refunded_amount": Decimal("12.5")}),
    (Log.ORDERS, {"total": "0", "refunded_amount": "0.00"}, {"total": Decimal(0), "refunded_amount": Decimal(0)}),
    (Log.ORDERS, {"status": "cancelled", "currency": "eur"}, {"status": "cancelled", "currency": "EUR"}),
    (Log.UNSUBSCRIBES, {"source": "whatever"}, {"source": "whatever"}),
    (Log.EXCHANGE_RATES, {"rate": "1e-10"}, {"rate": Decimal("0.0000000001")}),
    (Log.EXCHANGE_RATES, {"currency": "jpy", "base_currency": "eur"}, {"currency": "JPY", "base_currency": "EUR"}),
]  # fmt: skip


@pytest.mark.parametrize(("log", "changed", "stored"), KEPT, ids=lambda value: repr(value)[:60])
def test_a_value_at_the_limit_of_a_rule_is_accepted(log, changed, stored):
    result = validated(log, GOOD[log] | changed)
    assert reasons(result) == {}
    (row,) = result.rows.to_dicts()
    assert {name: row[name] for name in stored} == stored


SEVERAL = [
    (
        Log.SENDS,
        {"mobile_number": "x", "sent_at": "soon", "segments": "two", "cost": "-1", "cost_currency": None},
        ["mobile_number", "sent_at", "segments", "cost", "cost_currency"],
    ),
    (Log.SENDS, {"message_id": None, "segments": None, "skip_reason": "nonsense"}, ["message_id", "skip_reason"]),
    (Log.SENDS, {"cost": "free", "cost_currency": None}, ["cost", "cost_currency"]),
    (Log.SENDS, {"cost": "1", "cost_currency": "DOLLARS"}, ["cost_currency"]),
    (
        Log.ORDERS,
        {"total": "12.34567", "refunded_amount": "-1", "currency": None, "status": "PLACED"},
        ["total", "refunded_amount", "currency", "status"],
    ),
    # A refund is not compared with an invalid total, nor is an unreadable refund.
    (Log.ORDERS, {"total": "-1", "refunded_amount": "1"}, ["total"]),
    (Log.ORDERS, {"total": None, "refunded_amount": "1"}, ["total"]),
    (Log.ORDERS, {"total": "x", "refunded_amount": "99999"}, ["total"]),
    (Log.ORDERS, {"refunded_amount": "x"}, ["refunded_amount"]),
    (
        Log.EXCHANGE_RATES,
        {"rate_date": "x", "currency": "x", "rate": "x", "base_currency": "x"},
        ["rate_date", "currency", "rate", "base_currency"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("log", "changed", "columns"), SEVERAL)
def test_each_fault_of_a_row_is_a_reason_in_the_order_of_the_columns(log, changed, columns):
    result = validated(log, GOOD[log], GOOD[log] | changed)
    assert {index: named_columns(row_reasons) for index, row_reasons in reasons(result).items()} == {1: columns}


@pytest.mark.parametrize("log", Log)
def test_an_empty_row_has_a_reason_for_every_required_column(log):
    (row_reasons,) = reasons(validated(log, {})).values()
    required = [name for of_log, name in REQUIRED if of_log == log]
    assert named_columns(row_reasons) == ([*required, "segments"] if log == Log.SENDS else required)


@pytest.mark.parametrize("log", Log)
def test_an_empty_batch_is_validated(log):
    result = validated(log)
    assert (result.rows.height, result.reasons.height) == (0, 0)
    assert result.rows.schema == {column.name: column.read_as.dtype for column in COLUMNS[log]}


# Values that are not text in the file


@dataclass(frozen=True)
class Unread:
    index: int
    column: str
    rule: str = "must be text or a number, not a boolean"

    @property
    def reason(self) -> str:
        return f"{self.column}: {self.rule}"


@pytest.mark.parametrize(("log", "column"), REQUIRED + OPTIONAL)
def test_an_unreadable_value_is_not_reported_as_missing(log, column):
    fault = Unread(1, column)
    result = validated(log, GOOD[log], GOOD[log] | {column: None}, GOOD[log], unreadable=[fault])
    assert reasons(result) == {1: [fault.reason]}


def test_an_unreadable_skip_reason_makes_segments_optional():
    fault = Unread(0, "skip_reason")
    assert reasons(validated(Log.SENDS, GOOD[Log.SENDS] | {"segments": None}, unreadable=[fault])) == {
        0: [fault.reason]
    }


def test_faults_from_the_reader_and_from_the_contract_are_both_reasons():
    fault = Unread(1, "url", "occurs twice in the JSON object")
    result = validated(Log.CLICKS, GOOD[Log.CLICKS], GOOD[Log.CLICKS] | {"click_id": None}, unreadable=[fault])
    assert reasons(result) == {1: ["click_id: is required", fault.reason]}


def test_an_unreadable_value_of_an_unknown_column_is_a_reason():
    fault = Unread(0, "extra", "occurs twice in the JSON object")
    assert reasons(validated(Log.CLICKS, GOOD[Log.CLICKS], unreadable=[fault])) == {0: [fault.reason]}


# Errors of the contract itself


def test_a_check_that_cannot_be_evaluated_stops_the_load(monkeypatch):
    class Odd(LogContract):
        click_id: pl.String = contracts.always("The click.")

        @contracts.check("click_id", error="cannot be evaluated")
        def cannot_be_evaluated(cls, data: PolarsData) -> pl.LazyFrame:
            raise RuntimeError("cannot tell")

    monkeypatch.setitem(CONTRACTS, Log.CLICKS, Odd)
    with pytest.raises(AdmissionError, match=r"clicks.*click_id"):
        validated(Log.CLICKS, GOOD[Log.CLICKS])


def test_a_check_on_a_missing_column_stops_the_load(monkeypatch):
    class Odd(LogContract):
        click_id: pl.String = contracts.always("The click.")

        @contracts.check("click_id", error="must be what another column says")
        def as_the_other(cls, data: PolarsData) -> pl.LazyFrame:
            return data.lazyframe.select(pl.col("no such column") == pl.col(data.key))

    monkeypatch.setitem(CONTRACTS, Log.CLICKS, Odd)
    with pytest.raises(AdmissionError, match=r"clicks.*click_id"):
        validated(Log.CLICKS, GOOD[Log.CLICKS], GOOD[Log.CLICKS] | {"click_id": None})


# Comparison with an independent implementation of the rules


def as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.text if isinstance(value, AsIs) else value.isoformat() if isinstance(value, date) else str(value)


@pytest.mark.parametrize("log", Log)
def test_rows_with_every_kind_of_fault_get_the_reasons_of_the_oracle(log):
    rng = random.Random(0)
    texts = [{name: as_text(value) for name, value in row.items()} for row in oracle_faults.bad_rows(rng, log)]
    texts += [GOOD[log]] * 3
    for _ in range(300):
        row = dict(rng.choice(texts))
        row.update((name, rng.choice(texts)[name]) for name in rng.sample(list(ORACLE_LOGS[log]), k=2))
        texts.append(row)
    rng.shuffle(texts)
    result = validated(log, *texts)
    reasons_by_row, rows = reasons(result), result.rows.to_dicts()
    for index, row in enumerate(texts):
        values, faults = read_row(log, Record(index + 1, "", row))
        assert set(named_columns(reasons_by_row.get(index, []))) == {column for column, _ in faults}, row
        if not faults:
            assert rows[index] == values
