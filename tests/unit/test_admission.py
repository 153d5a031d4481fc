"""Admission: every rule of every log, by rows that break it and nothing else, and by rows that keep it to the letter."""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import pandera.polars as pa
import polars as pl
import pytest
from pandera.api.polars.types import PolarsData

from models.enums import Log
from models.logs import COLUMNS, CONTRACTS, EVENT_TIME, LogContract
from quality.admission import AdmissionError, ValidationResult, validate
from tests.oracle import faults as oracle_faults
from tests.oracle.admission import read_row
from tests.oracle.logs import LOGS as ORACLE_LOGS
from tests.oracle.records import Record
from tests.oracle.renderings import AsIs

# The table of the contract: each column's type, and whether every row must fill it.
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
        "total": ("decimal(18,2)", True),
        "refunded_amount": ("decimal(18,2)", False),
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
        "rate": ("decimal(18,8)", True),
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


def judged(log: Log, *rows: dict, unreadable=()) -> ValidationResult:
    columns = {name: pl.Series([row.get(name) for row in rows], dtype=pl.String) for name in CONTRACT[log]}
    return validate(log, pl.DataFrame(columns), unreadable)


def reasons(judgement: ValidationResult) -> dict[int, list[str]]:
    return dict(judgement.reasons.iter_rows())


def named_columns(found: list[str]) -> list[str]:
    return [reason.partition(":")[0] for reason in found]


@pytest.mark.parametrize("log", Log)
def test_the_columns_are_those_of_the_contract(log):
    found = {column.name: column for column in COLUMNS[log]}
    assert list(found) == list(CONTRACT[log])
    for name, (kind, required) in CONTRACT[log].items():
        dtype = found[name].read_as.dtype
        written = (
            f"decimal({dtype.precision},{dtype.scale})" if isinstance(dtype, pl.Decimal) else found[name].read_as.name
        )
        assert (name, written) == (name, kind)
        assert (name, found[name].must_be_in_file) == (name, required)
    assert CONTRACT[log][EVENT_TIME[log]] in [("timestamp", True), ("date", True)]


@pytest.mark.parametrize("log", Log)
def test_a_good_row_is_accepted_and_typed(log):
    judgement = judged(log, GOOD[log])
    assert reasons(judgement) == {}
    (row,) = judgement.rows.to_dicts()
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
def test_a_row_without_a_required_value_has_one_reason_that_says_so(log, column, nothing):
    judgement = judged(log, GOOD[log], GOOD[log] | {column: nothing}, GOOD[log])
    assert reasons(judgement) == {1: [f"{column}: is required"]}


@pytest.mark.parametrize(("log", "column"), OPTIONAL)
def test_a_row_without_an_optional_value_is_accepted(log, column):
    row = GOOD[log] | {column: None} | (SKIPPED if column == "segments" else {})
    row |= {"cost": None} if column == "cost_currency" else {}
    judgement = judged(log, row)
    assert reasons(judgement) == {}
    defaults = {(Log.RECEIPTS, "provider"): "smpp", (Log.ORDERS, "refunded_amount"): Decimal(0)}
    assert judgement.rows[column].to_list() == [defaults.get((log, column))]


@dataclass(frozen=True)
class Breach:
    """A good row but for `changed`: it has one reason, of `column`, which says `words`."""

    log: Log
    column: str
    changed: dict
    words: str


def breaches(log: Log, column: str, words: str, *texts: str) -> list[Breach]:
    return [Breach(log, column, {column: text}, words) for text in texts]


UNREADABLE = {
    "id": ("x" * 129, "128"),
    "timestamp": ("2026-02-30T12:00", "moment"),
    "date": ("2026-02-30", "date"),
    "integer": ("1.5", "whole number"),
    "decimal(18,2)": ("12.345", "decimal"),
    "decimal(18,6)": ("0.0000001", "decimal"),
    "decimal(18,8)": ("1e3", "decimal"),
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
    *breaches(Log.ORDERS, "total", "0 or more", "-0.01", "-9999999999999999.99"),
    *breaches(Log.ORDERS, "refunded_amount", "0 to the total", "-0.01", "12.51", "9999999999999999.99"),
    Breach(Log.ORDERS, "refunded_amount", {"total": "0", "refunded_amount": "0.01"}, "0 to the total"),
    *breaches(Log.ORDERS, "status", "placed or cancelled", "PLACED", "Placed", "refunded", "canceled"),
    *breaches(Log.EXCHANGE_RATES, "rate", "more than 0", "0", "-0", "0.00", "-1.08"),
]


@pytest.mark.parametrize("breach", BREACHES, ids=lambda breach: f"{breach.log}-{breach.changed!r}"[:80])
def test_a_row_that_breaks_one_rule_has_one_reason_that_names_column_and_rule(breach):
    good = GOOD[breach.log]
    judgement = judged(breach.log, good, good | breach.changed, good)
    assert list(reasons(judgement)) == [1]
    (reason,) = reasons(judgement)[1]
    assert reason.startswith(f"{breach.column}: ")
    assert breach.words in reason
    assert judgement.rows.height == 3


KEPT = [
    (Log.CAMPAIGNS, {"campaign_type": "mMs"}, {"campaign_type": "MMS"}),
    (Log.CAMPAIGNS, {"max_segments": "1"}, {"max_segments": 1}),
    (Log.CAMPAIGNS, {"campaign_id": "x" * 128}, {"campaign_id": "x" * 128}),
    (Log.CAMPAIGNS, {"body": "  two\nlines  "}, {"body": "two\nlines"}),
    (Log.SENDS, {"mobile_number": "+1234567"}, {"mobile_number": "+1234567"}),
    (Log.SENDS, {"mobile_number": " +123456789012345 "}, {"mobile_number": "+123456789012345"}),
    (Log.SENDS, {"segments": "1"}, {"segments": 1}),
    (Log.SENDS, {"segments": "255"}, {"segments": 255}),
    *((Log.SENDS, SKIPPED | {"skip_reason": reason}, {"skip_reason": reason, "segments": None}) for reason in (
        "SkippedNoContent", "SkippedHypersonalization", "FailedHypersonalization", "ContentTooLong",
    )),
    (Log.SENDS, {"skip_reason": "ContentTooLong", "segments": "255"}, {"segments": 255}),
    (Log.SENDS, {"cost": "0", "cost_currency": "usd"}, {"cost": Decimal(0), "cost_currency": "USD"}),
    (Log.SENDS, {"cost": None}, {"cost": None, "cost_currency": "USD"}),
    (Log.RECEIPTS, {"provider": " "}, {"provider": "smpp"}),
    (Log.RECEIPTS, {"provider": "PLIVO", "provider_status": "DelivRd"}, {"provider": "PLIVO", "provider_status": "DelivRd"}),
    (Log.RECEIPTS, {"error_code": "007"}, {"error_code": "007"}),
    (Log.ORDERS, {"refunded_amount": ""}, {"refunded_amount": Decimal(0)}),
    (Log.ORDERS, {"refunded_amount": "12.50"}, {"refunded_amount": Decimal("12.5")}),
    (Log.ORDERS, {"total": "0", "refunded_amount": "0.00"}, {"total": Decimal(0), "refunded_amount": Decimal(0)}),
    (Log.ORDERS, {"status": "cancelled", "currency": "eur"}, {"status": "cancelled", "currency": "EUR"}),
    (Log.UNSUBSCRIBES, {"source": "whatever"}, {"source": "whatever"}),
    (Log.EXCHANGE_RATES, {"rate": "0.00000001"}, {"rate": Decimal("0.00000001")}),
    (Log.EXCHANGE_RATES, {"currency": "jpy", "base_currency": "eur"}, {"currency": "JPY", "base_currency": "EUR"}),
]  # fmt: skip


@pytest.mark.parametrize(("log", "changed", "stored"), KEPT, ids=lambda value: repr(value)[:60])
def test_what_keeps_a_rule_to_the_letter_is_accepted(log, changed, stored):
    judgement = judged(log, GOOD[log] | changed)
    assert reasons(judgement) == {}
    (row,) = judgement.rows.to_dicts()
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
        {"total": "12.345", "refunded_amount": "-1", "currency": None, "status": "PLACED"},
        ["total", "refunded_amount", "currency", "status"],
    ),
    # Against a total that is itself at fault, or with a refund that cannot be read, there is nothing to compare.
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
def test_a_row_with_several_faults_has_a_reason_for_each_in_the_order_of_the_columns(log, changed, columns):
    judgement = judged(log, GOOD[log], GOOD[log] | changed)
    assert {index: named_columns(found) for index, found in reasons(judgement).items()} == {1: columns}


@pytest.mark.parametrize("log", Log)
def test_an_empty_row_lacks_all_that_is_required(log):
    (found,) = reasons(judged(log, {})).values()
    lacking = [name for of_log, name in REQUIRED if of_log == log]
    assert named_columns(found) == ([*lacking, "segments"] if log == Log.SENDS else lacking)


@pytest.mark.parametrize("log", Log)
def test_a_batch_of_no_rows_is_judged(log):
    judgement = judged(log)
    assert (judgement.rows.height, judgement.reasons.height) == (0, 0)
    assert judgement.rows.schema == {column.name: column.read_as.dtype for column in COLUMNS[log]}


# Values that the reader of a file could not read


@dataclass(frozen=True)
class Unread:
    index: int
    column: str
    rule: str = "must be text or a number, not a boolean"

    @property
    def reason(self) -> str:
        return f"{self.column}: {self.rule}"


@pytest.mark.parametrize(("log", "column"), REQUIRED + OPTIONAL)
def test_a_value_that_is_there_but_unread_is_not_reported_as_missing(log, column):
    fault = Unread(1, column)
    judgement = judged(log, GOOD[log], GOOD[log] | {column: None}, GOOD[log], unreadable=[fault])
    assert reasons(judgement) == {1: [fault.reason]}


def test_a_skip_reason_that_is_there_but_unread_excuses_the_lack_of_segments():
    fault = Unread(0, "skip_reason")
    assert reasons(judged(Log.SENDS, GOOD[Log.SENDS] | {"segments": None}, unreadable=[fault])) == {0: [fault.reason]}


def test_a_fault_of_the_reader_stands_beside_those_of_the_contract():
    fault = Unread(1, "url", "stands twice in the JSON object")
    judgement = judged(Log.CLICKS, GOOD[Log.CLICKS], GOOD[Log.CLICKS] | {"click_id": None}, unreadable=[fault])
    assert reasons(judgement) == {1: ["click_id: is required", fault.reason]}


def test_a_fault_of_a_column_that_the_log_does_not_know_is_a_reason_too():
    fault = Unread(0, "extra", "stands twice in the JSON object")
    assert reasons(judged(Log.CLICKS, GOOD[Log.CLICKS], unreadable=[fault])) == {0: [fault.reason]}


# A fault of the contract itself


def test_a_check_that_cannot_be_carried_out_stops_the_load(monkeypatch):
    class Odd(LogContract):
        click_id: pl.String = pa.Field(nullable=False)

        @pa.check("click_id", error="must be something that nobody can tell")
        def nobody_can_tell(cls, data: PolarsData) -> pl.LazyFrame:
            raise RuntimeError("cannot tell")

    monkeypatch.setitem(CONTRACTS, Log.CLICKS, Odd)
    with pytest.raises(AdmissionError, match=r"clicks.*click_id"):
        judged(Log.CLICKS, GOOD[Log.CLICKS])


def test_a_check_on_a_column_that_is_not_there_stops_the_load(monkeypatch):
    class Odd(LogContract):
        click_id: pl.String = pa.Field(nullable=False)

        @pa.check("click_id", error="must be what another column says")
        def as_the_other(cls, data: PolarsData) -> pl.LazyFrame:
            return data.lazyframe.select(pl.col("no such column") == pl.col(data.key))

    monkeypatch.setitem(CONTRACTS, Log.CLICKS, Odd)
    with pytest.raises(AdmissionError, match=r"clicks.*click_id"):
        judged(Log.CLICKS, GOOD[Log.CLICKS], GOOD[Log.CLICKS] | {"click_id": None})


# The same rows, judged by an independent statement of the rules


def as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.text if isinstance(value, AsIs) else value.isoformat() if isinstance(value, date) else str(value)


@pytest.mark.parametrize("log", Log)
def test_rows_with_every_kind_of_fault_are_judged_as_the_oracle_judges_them(log):
    rng = random.Random(0)
    texts = [{name: as_text(value) for name, value in row.items()} for row in oracle_faults.bad_rows(rng, log)]
    texts += [GOOD[log]] * 3
    for _ in range(300):
        row = dict(rng.choice(texts))
        row.update((name, rng.choice(texts)[name]) for name in rng.sample(list(ORACLE_LOGS[log]), k=2))
        texts.append(row)
    rng.shuffle(texts)
    judgement = judged(log, *texts)
    found, rows = reasons(judgement), judgement.rows.to_dicts()
    for index, row in enumerate(texts):
        values, faults = read_row(log, Record(index + 1, "", row))
        assert set(named_columns(found.get(index, []))) == {column for column, _ in faults}, row
        if not faults:
            assert rows[index] == values
