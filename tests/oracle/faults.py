"""Rows and lines that break each rule of the contract.

Every bad row is a good row with one fault or a few.
"""

import random
from datetime import date, datetime
from decimal import Decimal

from tests.oracle.logs import LOGS, Column
from tests.oracle.renderings import AsIs, Line, json_object, json_pairs

BAD_TIMESTAMPS = (
    *("yesterday", "2026-01-05", "2026-01-05T", "20260105T000000Z", "2026-1-5T00:00:00", "05.01.2026 00:00"),
    *("2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-05T24:00:00Z", "2026-01-05T23:59:60Z"),
    *("2026-01-05T00:60:00", "2025-02-29 12:00", "0000-01-01T00:00:00", "infinity", "now", "1767571200"),
    *("2026-01-05T00:00:00.1234567Z", "2026-01-05T00:00:00.Z", "2026-01-05T00:00:00,5", "2026-01-05T00:00.5"),
    *("2026-01-05T00:00:00 CET", "2026-01-05  00:00:00", "2026-01-05T00:00:00  Z", "2026-01-05T10:00UTC"),
    *("2026-01-05T00:00:00 utc", "2026-01-05T00:00:00.000000001Z", "2026-01-05 00:00:00 - 0500", "1767571200.5"),
    *("2026-01-05T00:00:00+24:00", "2026-01-05T00:00:00+02:60", "2026-01-05T00:00:00+2", "2026-01-05T00:00:00+02:"),
    *("1989-12-31T23:59:59.999999Z", "2100-01-01T00:00:00", "1990-01-01T00:00:00+00:01", "2099-12-31T23:59:59-00:01"),
    *("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+01:00", "２０２６-01-05T00:00:00", "+2026-01-05T00:00:00"),
)
BAD_DATES = ("2026-02-30", "2026-01-05T00:00:00", "05/01/2026", "20260105", "2026-1-5", "٢٠٢٦-01-05", "today")
BAD_INTEGERS = (
    "two",
    "1.5",
    "1.",
    "1e0",
    "1.0e0",
    "1_000",
    "1,000",
    "0x10",
    "--1",
    "+",
    "1 2",
    "２",
    "2147483648",
    "9" * 5000,
)
BAD_DECIMALS = (
    "ten",
    "1e",
    "1e0000",
    "1e400",
    "1e-400",
    "1_0",
    "1,5",
    "1.2.3",
    "--1",
    ".",
    "-",
    "$5",
    "NaN",
    "infinity",
    "1 000",
    "٣",
    "-0.01",
    "-1",
)
BAD_PHONES = (
    "447700900123",
    "+0447700900",
    "+123456",
    "+1234567890123456",
    "+44 7700 900123",
    "+４47700900",
    "00447700900",
)
BAD_CURRENCIES = ("US", "USDT", "U$D", "ÜSD", "840", "U D")


def bad_texts(column: Column) -> list[str]:
    """Texts that break the rule of a column."""
    texts = {
        "timestamp": BAD_TIMESTAMPS,
        "date": BAD_DATES,
        "integer": (*BAD_INTEGERS, "0", "-1"),
        "decimal": BAD_DECIMALS,
        "phone": BAD_PHONES,
        "currency": BAD_CURRENCIES,
        "id": ("x" * 129, "é" * 129),
        # The long s is an S to whoever upper-cases beyond ASCII.
        "upper": ("FAX", "ſMS", "SMS MMS"),
    }.get(column.kind, ())
    texts = list(texts)
    if column.digits:
        before, after = column.digits
        texts += ["1" * (before + 1), "0." + "0" * after + "1", f"{'9' * before}.{'9' * after}9"]
    if column.greatest is not None:
        texts.append(str(column.greatest + 1))
    if column.above is not None:
        texts += ["0", "-0.0"]
    if column.kind == "string" and column.one_of:
        texts += ["nonsense", column.one_of[0].upper(), column.one_of[0] + "."]
    if column.required:
        texts += ["", " \t\n\v\f\r"]
    return texts


def plain_row(log: str, name: str) -> dict:
    """A good row whose ids all begin with `name`."""
    moment = datetime(2026, 1, 6, 12)
    rows = {
        "campaigns": {"campaign_id": name, "campaign_name": name, "campaign_type": "SMS", "modified_by": "ops"},
        "sends": {"message_id": name, "campaign_id": name, "contact_id": name, "mobile_number": "+447700900123"}
        | {"segments": 1, "cost_currency": "USD"},
        "receipts": {"message_id": name, "provider_status": "DELIVRD"},
        "clicks": {"click_id": name, "campaign_id": name, "contact_id": name},
        "orders": {
            "order_id": name,
            "contact_id": name,
            "total": Decimal("1.00"),
            "currency": "USD",
            "status": "placed",
        },
        "unsubscribes": {"contact_id": name},
        "exchange_rates": {"rate_date": date(2026, 1, 1), "currency": "BAD", "rate": Decimal("1.1")},
    }
    row = dict.fromkeys(LOGS[log]) | rows[log]
    return row | {
        column.name: moment for column in LOGS[log].values() if column.kind == "timestamp" and column.required
    }


def bad_rows(rng: random.Random, log: str) -> list[dict]:
    """A row for each way in which each column can be wrong, and a few rows with several faults."""
    rows = []

    def add(**faults: object) -> None:
        rows.append(plain_row(log, f"bad{len(rows)}") | faults)

    for name, column in LOGS[log].items():
        for text in bad_texts(column):
            add(**{name: AsIs(text)})
    if log == "sends":
        add(segments=None)
        add(skip_reason="ContentTooLong", segments=AsIs("0"))
        add(cost=Decimal("0.04"), cost_currency=None)
        add(sent_at=AsIs("soon"), segments=AsIs("two"), mobile_number=AsIs("x"))
    if log == "orders":
        add(total=Decimal("1.00"), refunded_amount=Decimal("1.01"))
        add(status=AsIs("PLACED"), currency=AsIs("euro"), total=AsIs("12.34567"))
    rows.append(dict.fromkeys(LOGS[log]))
    rng.shuffle(rows)
    return rows


def bad_json_lines(rng: random.Random, log: str) -> list[Line]:
    """Lines that are no JSON object, and objects with a value that is not text, for every column in turn."""

    def pairs() -> list[tuple[str, str]]:
        """Without the unknown columns that `json_pairs` may add."""
        return [pair for pair in json_pairs(rng, log, plain_row(log, "badjson")) if pair[0] in LOGS[log]]

    lines = []
    for name, column in LOGS[log].items():
        literals = ["true", "false", "[]", '["x"]', "{}"]
        if column.kind == "integer":
            literals = ["true", "[1]", "1e0", "1E2", "1.5e0", "1.5"]
        elif column.kind == "decimal":
            literals = ["true", "[1]", "1e400", "1E-400", "1e0000"]
        others = [pair for pair in pairs() if pair[0] != name]
        for literal in rng.sample(literals, 2):
            lines.append(json_object(rng, [*others, (name, literal)]))
        lines.append(json_object(rng, [(name, '"x"'), *pairs(), (name, "null")]))
    good = json_object(rng, pairs())
    lines += [
        *(b"not json", b"null", b"7", b'"text"', b"[]", b"[" + good + b"]", b"{}", b"{", good[:-1], good + b","),
        *(good + good, good + b" x", b"{'a': 1}", b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 01}', b'{"a": +1}'),
        *(
            b'{"a": .5}',
            b'{"a": 1.}',
            b'{"a": "tab\there"}',
            b'{"a": "\\x"}',
            b'{"a": "\xff"}',
            b'{"a": "\xed\xa0\x80"}',
        ),
        *(b'{"a": "\0"}', b"\0", good[:-1] + b",}", b'{"a" 1}', b"{a: 1}", b"// note", b'{"a": True}', b"\xc0\xaf"),
    ]
    rng.shuffle(lines)
    return [Line(line) for line in lines]


def bad_csv_lines(rng: random.Random, log: str, columns: list[str]) -> list[Line]:
    """Lines that are no record of these columns. Some unclosed quotes may be closed by later lines."""

    row = plain_row(log, "badcsv")
    good = ",".join("" if row.get(column) is None else str(row[column]) for column in columns).encode()
    first, _, rest = good.partition(b",")
    lines = [
        *(good + b",", b"," + good, first, rest, b"x", b"," * (len(columns) + 3)),
        *(b'"' + first + b"," + rest, first + b',"' + rest, good + b'"', b'"' + good),
        *(b'a"b,' + rest, b'"a"b,' + rest, b'"a" ,' + rest, b' "a",' + rest, b'"a""' + b"," + rest),
        *(b"\xff," + rest, b"\xc3," + rest, b"\xed\xa0\x80," + rest, b"a\0b," + rest, b'"\xff\n",' + rest),
        # Two lines, of which the second alone would do: the first does not take it along.
        first + b'"x\n' + good,
        b'"' + b"\n" * 100 + b'",' + rest,
    ]
    rng.shuffle(lines)
    return [Line(line) for line in lines]


def long_lines(log: str, columns: list[str] | None) -> list[Line]:
    """A line of more than 1 MiB: CSV if columns are given, else JSON."""
    filler = b"x" * (1024 * 1024 + 1)
    if columns is None:
        return [Line(b'{"extra": "' + filler + b'"}')]
    return [Line(filler + b"," * (len(columns) - 1)), Line(b'"' + filler + b'"' + b"," * (len(columns) - 1))]
