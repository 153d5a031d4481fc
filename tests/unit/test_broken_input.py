"""Broken input of every kind and format: the rows that load, the rows that are rejected and why, the files that are refused.

Each case is a file in a landing zone, loaded with a good file, whose rows load in every case. Row 1 is good, and so is the last
row if there are others.

Not here: the rules for values (`test_admission`), every way to break a line (`test_csv_reader`, `test_jsonl_reader`), special
files and files that change while they are read (`test_unreadable_files`).
"""

import datetime as dt
import gzip
import io
import json
import tracemalloc
import zipfile
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.text_types import ID, TIMESTAMP
from quality.admission import validate
from tests.unit.test_load import LoadFolder
from warehouse.ingest.readers import content as reader_content

HEADER = b"contact_id,unsubscribed_at,source\n"
MARK = b"\xef\xbb\xbf"
NUL, NOT_UTF8, NOT_JSON = "line: holds a NUL", "line: is not valid UTF-8", "line: is not a JSON object"
UNCLOSED, STRAY, AFTER = (
    "line: has an unclosed quote",
    "line: has a quote within an unquoted field",
    "line: has text after a closing quote",
)
TOO_LONG = "line: is longer than 1 MiB"
NO_UTF8 = "source: is not valid UTF-8"
NO_ID, NO_MOMENT = f"contact_id: {ID.rule}", f"unsubscribed_at: {TIMESTAMP.rule}"
MOMENT = dt.datetime(2026, 1, 5, 12)


@dataclass(frozen=True)
class Case:
    """A file with the expected contacts by row number, raw rows and reasons by row number, and the text of its refusal."""

    content: bytes
    accepted: dict[int, str] = field(default_factory=dict)
    rejected: dict[int, tuple[str, list[str]]] = field(default_factory=dict)
    refusal: str | None = None
    unknown: tuple[str, ...] = ()


@pytest.fixture
def warehouse(tmp_path) -> LoadFolder:
    return LoadFolder(tmp_path)


def check(warehouse: LoadFolder, name: str, case: Case) -> None:
    warehouse.drop(name, case.content)
    warehouse.drop("2026-01-06.csv", HEADER + b"good,2026-01-06T12:00,\n")
    loaded = warehouse.load(batch_rows=250_000)
    loaded_file = loaded.pop(name)
    assert loaded["2026-01-06.csv"].accepted == 1
    if case.refusal is None:
        assert loaded_file.refusal is None
    else:
        assert case.refusal in (loaded_file.refusal or "")
    assert loaded_file.unknown_columns == case.unknown
    assert (loaded_file.accepted, loaded_file.rejected) == (len(case.accepted), len(case.rejected))
    assert loaded_file.records == loaded_file.accepted + loaded_file.rejected
    quarantined_rows = warehouse.quarantine("select row_number, raw_row, reasons from rejected_rows order by all")
    assert {number: (raw, reasons) for number, raw, reasons in quarantined_rows} == case.rejected
    assert accepted(warehouse, name) == case.accepted


def accepted(warehouse: LoadFolder, name: str) -> dict[int, str]:
    """Contacts in the lake by row number."""
    rows = {}
    for file in warehouse.paths.lake.glob("unsubscribes/log_date=*/*.parquet"):
        for row in pq.ParquetFile(file).read(["contact_id", "source_file", "row_number"]).to_pylist():
            if row["source_file"] == name:
                assert row["row_number"] not in rows
                rows[row["row_number"]] = row["contact_id"]
    return rows


# CSV, plain and zipped


def among(*middle: bytes, end: bytes = b"\n") -> bytes:
    """A CSV file with lines between two good rows."""
    return HEADER + end.join([b"k1,2026-01-05T12:00,", *middle, b"kz,2026-01-05T12:00,"]) + end


def one(line: str, reason: str, raw: str | None = None, content: bytes | None = None) -> Case:
    """A line that is a bad row by itself."""
    return Case(content or among(line.encode()), {1: "k1", 3: "kz"}, {2: (line if raw is None else raw, [reason])})


GOOD = {1: "k1", 2: "kz"}
UTF_16 = among().decode()

CSV = {
    "too few fields": one("k2,2026-01-05T12:00", "line: has 2 fields, the header 3"),
    "too many fields": one("k2,2026-01-05T12:00,,x", "line: has 4 fields, the header 3"),
    "two bad values": Case(
        among(b"k" * 129 + b",yesterday,"), {1: "k1", 3: "kz"}, {2: ("k" * 129 + ",yesterday,", [NO_ID, NO_MOMENT])}
    ),
    "an unclosed quote": one('k2,2026-01-05T12:00,"link', UNCLOSED),
    "an unclosed quote first": Case(
        HEADER + b'"k0,2026-01-05T12:00,\n' + b"k1,2026-01-05T12:00,\n", {2: "k1"}, {1: ('"k0,2026-01-05T12:00,', [UNCLOSED])}
    ),
    "an unclosed quote last": Case(among() + b'k3,2026-01-05T12:00,"', GOOD, {3: ('k3,2026-01-05T12:00,"', [UNCLOSED])}),
    "a stray quote": one('k2,2026-01-05T12:00,li"nk', STRAY),
    "a stray quote after a quoted field": one('k2,2026-01-05T12:00,"li"nk', AFTER),
    "white space before a quote": one('k2,2026-01-05T12:00, "link"', STRAY),
    "embedded line breaks": Case(among(b'k2,2026-01-05T12:00,"a\r\n\n""b""\n"'), {1: "k1", 2: "k2", 3: "kz"}),
    "mixed line ends": Case(among(b"k2,2026-01-05T12:00,\r", b'k3,2026-01-05T12:00,"x"\r'), {1: "k1", 2: "k2", 3: "k3", 4: "kz"}),
    "no line end at the end": Case(among().rstrip(b"\n"), GOOD),
    "line ends of CR alone": Case(among().replace(b"\n", b"\r"), refusal="CR without LF"),
    "line ends of CR alone, after the header": Case(
        among().replace(b"\n", b"\r").replace(b"\r", b"\n", 1),
        {},
        {1: ("k1,2026-01-05T12:00,\rkz,2026-01-05T12:00,", ["line: has 5 fields, the header 3"])},
    ),
    "a byte-order mark": Case(MARK + among(), GOOD),
    "a byte-order mark twice": Case(MARK + MARK + among(), refusal="contact_id"),
    "a byte-order mark in the middle": one("\ufeff", "line: has 1 fields, the header 3"),
    "UTF-16": Case(UTF_16.encode("utf-16"), refusal="UTF-16, must be UTF-8; save it as UTF-8"),
    "UTF-16 without a mark": Case(UTF_16.encode("utf-16-be"), refusal="UTF-16, must be UTF-8; save it as UTF-8"),
    "invalid UTF-8": one("", NOT_UTF8, "k2,2026-01-05T12:00,caf\\xe9", among(b"k2,2026-01-05T12:00,caf\xe9")),
    "a NUL": one("k2,2026-01-05T12:00,a\0", NUL),
    "zeros at the end, as after a crash": Case(among() + bytes(4096), GOOD, {3: ("\0" * 4096, [NUL])}),
    "a header in another order": Case(b"source,unsubscribed_at,contact_id\n,2026-01-05T12:00,k1\n", {1: "k1"}),
    "a quoted header": Case(among().replace(b"contact_id", b'"contact_id"', 1), GOOD),
    "a header with a trailing comma": Case(
        b"contact_id,unsubscribed_at,\nk1,2026-01-05T12:00,\nk2,2026-01-05T12:00\n",
        {1: "k1"}, {2: ("k2,2026-01-05T12:00", ["line: has 2 fields, the header 3"])}, unknown=("column 3 (without a name)",),
    ),
    "a header of another case": Case(among().replace(b"contact_id", b"Contact_ID"), refusal="missing: contact_id"),
    "a header in the middle": one("contact_id,unsubscribed_at,source", NO_MOMENT),
    "a column twice": Case(among().replace(b"source", b"contact_id"), refusal="column twice: contact_id"),
    "an unknown column": Case(among().replace(b"source", b"tenant"), GOOD, unknown=("tenant",)),
    "a missing column": Case(b"contact_id,source\nk1,\n", refusal="required column missing: unsubscribed_at"),
    "no header": Case(b"k1,2026-01-05T12:00,\n", refusal="is there a header line?"),
    "nothing": Case(b""),
    "blank lines": Case(b"\n \r\n\t\n\n"),
    "a header alone": Case(HEADER),
    "semicolons": Case(among().replace(b",", b";"), refusal="`contact_id;unsubscribed_at…`: separated by semicolons?"),
    "tabs": Case(among().replace(b",", b"\t"), refusal="separated by tabs? set `delimiter` in a source"),
    "JSON": Case(b'{"contact_id": "k1"}\n', refusal="JSON, not CSV as its name says"),
    "a web page": Case(b"<html>\n<body>\n", refusal="is there a header line?"),
    "PDF": Case(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", refusal="is there a header line?"),
    "numbers in quotes": Case(HEADER + b'"1","2026-01-05T12:00","7"\n', {1: "1"}),
}  # fmt: skip


def zipped(content: bytes) -> bytes:
    """In several members, cut anywhere, one of them empty."""
    middle = len(content) // 2
    return gzip.compress(content[:middle]) + gzip.compress(b"") + gzip.compress(content[middle:])


@pytest.mark.parametrize("extension", ["csv", "csv.gz"])
@pytest.mark.parametrize("case", CSV.values(), ids=CSV)
def test_broken_csv_is_rejected_row_by_row_or_refused(warehouse, case, extension):
    content = zipped(case.content) if extension.endswith("gz") else case.content
    check(warehouse, f"2026-01-05.{extension}", replace(case, content=content))


# JSON lines, plain and zipped


def objects(*middle: bytes, end: bytes = b"\n") -> bytes:
    """A file of JSON lines with lines between two good rows."""
    good = b'{"contact_id": "%s", "unsubscribed_at": "2026-01-05T12:00"}'
    return end.join([good % b"k1", *middle, good % b"kz"]) + end


def broken(line: bytes, reason: str = NOT_JSON) -> Case:
    return Case(objects(line), {1: "k1", 3: "kz"}, {2: (line.decode(errors="backslashreplace"), [reason])})


def value(key: str, literal: str, *reasons: str, unknown: tuple[str, ...] = ()) -> Case:
    """A row that is good but for one value, or good."""
    values = {"contact_id": '"k2"', "unsubscribed_at": '"2026-01-05T12:00"'} | {key: literal}
    line = "{" + ", ".join(f'"{name}": {literal}' for name, literal in values.items()) + "}"
    good = {2: json.loads(values["contact_id"], parse_int=str)} if not reasons else {}
    bad = {2: (line, list(reasons))} if reasons else {}
    return Case(objects(line.encode()), {1: "k1", 3: "kz"} | good, bad, unknown=unknown)


def no_text(key: str, kind_of_value: str) -> str:
    return f"{key}: must be text or a number, not {kind_of_value}"


JSONL = {
    "an unclosed quote": broken(b'{"contact_id": "k2, "unsubscribed_at": "2026-01-05T12:00"}'),
    "an object that is cut": broken(b'{"contact_id": "k2"'),
    "an object over two lines": Case(
        objects(b'{"contact_id": "k2",', b'"unsubscribed_at": "2026-01-05T12:00"}'), {1: "k1", 2: "k2", 3: "kz"},
    ),
    "two objects on a line": Case(
        objects(b"{} {}"), {1: "k1", 4: "kz"},
        {number: ("{}", ["contact_id: is required", "unsubscribed_at: is required"]) for number in (2, 3)},
    ),
    "an array": broken(b'[{"contact_id": "k2", "unsubscribed_at": "2026-01-05T12:00"}]'),
    "text": broken(b'"k2"'),
    "a number": broken(b"7"),
    "null": broken(b"null"),
    "CSV": broken(b"k2,2026-01-05T12:00,"),
    "NaN": broken(b'{"contact_id": NaN}'),
    "infinity": broken(b'{"contact_id": -Infinity}'),
    "invalid UTF-8": broken(b'{"contact_id": "\xff"}', NOT_UTF8),
    "half a surrogate pair": broken(b'{"contact_id": "\\ud800"}', NOT_UTF8),
    "a NUL": broken(b'{"contact_id": "k\0"}', NUL),
    "a NUL by escape": value("source", '"\\u0000"', "source: holds a NUL"),
    "arrays without end": broken(b'{"x": ' + b"[" * 50_000),
    "a boolean": value("source", "true", no_text("source", "a boolean")),
    "an array as a value": value("source", '["link"]', no_text("source", "an array")),
    "an object as a value": value("contact_id", '{"id": "k2"}', no_text("contact_id", "an object")),
    "an object under an unknown key": value("meta", '{"a": [{"b": null}]}', unknown=("meta",)),
    "a key twice": value("contact_id", '"k2", "contact_id": "k2"', "contact_id: occurs twice in the JSON object"),
    "a missing key": Case(
        objects(b'{"contact_id": "k2"}'), {1: "k1", 3: "kz"},
        {2: ('{"contact_id": "k2"}', ["unsubscribed_at: is required"])},
    ),
    "an empty object": Case(
        objects(b"{}"), {1: "k1", 3: "kz"}, {2: ("{}", ["contact_id: is required", "unsubscribed_at: is required"])}
    ),
    "null where a value is required": value("unsubscribed_at", "null", "unsubscribed_at: is required"),
    "a number where there should be text": value("contact_id", "20"),
    "a number where there should be a moment": value("unsubscribed_at", "1767616200", NO_MOMENT),
    "a huge integer": value("contact_id", "9" * 5000, NO_ID),
    "text with line breaks": value("source", '"a\\n\\r\\"b"'),
    "mixed line ends": Case(objects() + objects(end=b"\r\n"), {1: "k1", 2: "kz", 3: "k1", 4: "kz"}),
    "line ends of CR alone": Case(objects(end=b"\r"), GOOD),
    "a byte-order mark": Case(MARK + objects(), GOOD),
    "UTF-16": Case("{}\n".encode("utf-16"), refusal="UTF-16, must be UTF-8; save it as UTF-8"),
    "nothing": Case(b""),
    "blank lines": Case(b"\n \r\n\t\n\n"),
    "a list of objects, laid out": Case(b"[\n" + objects().replace(b"}\n", b"},\n") + b"]\n", GOOD),
    "a list of objects that is cut": Case(b"[" + objects(end=b",\n"), refusal="truncated: the array"),
}  # fmt: skip


@pytest.mark.parametrize("extension", ["jsonl", "jsonl.gz"])
@pytest.mark.parametrize("case", JSONL.values(), ids=JSONL)
def test_broken_json_lines_are_rejected_row_by_row_or_refused(warehouse, case, extension):
    content = zipped(case.content) if extension.endswith("gz") else case.content
    check(warehouse, f"2026-01-05.{extension}", replace(case, content=content))


# Parquet


def parquet(**columns) -> bytes:
    buffer = io.BytesIO()
    rows = max(map(len, columns.values()))
    table_columns = {"contact_id": ["k1", "k2", "kz"][:rows], "unsubscribed_at": [MOMENT] * rows} | columns
    pq.write_table(pa.table(table_columns), buffer)
    return buffer.getvalue()


def source(values: pa.Array | list, rejected_kind: str | None = None) -> Case:
    """A column of null, a value, null; and what is wrong with the value."""
    contents, all_rows = parquet(source=values), {1: "k1", 2: "k2", 3: "kz"}
    if rejected_kind is None:
        return Case(contents, all_rows)
    raw_value = pq.ParquetFile(io.BytesIO(contents)).read(["source"]).column(0)[1].as_py()
    raw = {"contact_id": "k2", "unsubscribed_at": "2026-01-05T12:00:00", "source": raw_value}
    return Case(contents, {1: "k1", 3: "kz"}, {2: (json.dumps(raw), [no_text("source", rejected_kind)])})


def moments(kind: pa.DataType) -> Case:
    return Case(parquet(unsubscribed_at=pa.array([MOMENT, MOMENT, MOMENT]).cast(kind)), {1: "k1", 2: "k2", 3: "kz"})


def twice() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(
        pa.Table.from_arrays([["k1"], [MOMENT], ["k1"]], ["contact_id", "unsubscribed_at", "contact_id"]), buffer
    )
    return buffer.getvalue()


WHOLE = parquet(source=[None, "link", None])
PARQUET = {
    "no rows": Case(parquet(contact_id=pa.array([], pa.string()), unsubscribed_at=pa.array([], pa.timestamp("us")))),
    "nothing": Case(b""),
    "cut in the middle": Case(WHOLE[: len(WHOLE) // 2], refusal="not a complete Parquet file"),
    "cut by a byte": Case(WHOLE[:-1], refusal="not a complete Parquet file"),
    "CSV": Case(among(), refusal="CSV, not Parquet as its name says"),
    "gzip": Case(gzip.compress(WHOLE), refusal="gzip, not Parquet as its name says"),
    "a column twice": Case(twice(), refusal="column twice: contact_id"),
    "a missing column": Case(parquet(contact_id=["k1"], unsubscribed_at=pa.nulls(1)).replace(b"contact_id", b"kontact_id"),
                             refusal="required column missing: contact_id"),
    "an unknown column": replace(source(["x", None, "x"]), content=parquet(tenant=[[1], None, [2]]), unknown=("tenant",)),
    "booleans": source([None, True, None], "a boolean"),
    "lists": source([None, ["a"], None], "list<element: string>"),
    "structures": source([None, {"a": 1}, None], "struct<a: int64>"),
    "integers": source([None, 7, None]),
    "doubles": source([None, 2.5, None]),
    "decimals": source([None, Decimal("2.50"), None]),
    "a dictionary": source(pa.array([None, "link", None]).dictionary_encode()),
    "dates": source([None, dt.date(2026, 1, 5), None]),
    "nulls of no type": source(pa.nulls(3)),
    "numbers for ids": Case(parquet(contact_id=[1, 2, 3]), {1: "1", 2: "2", 3: "3"}),
    "whole doubles for ids": Case(parquet(contact_id=[1.0, 2.0, 3.0]), {1: "1", 2: "2", 3: "3"}),
    "moments with a zone": moments(pa.timestamp("ms", "Europe/Berlin")),
    "moments in seconds": moments(pa.timestamp("s")),
    "moments as text": Case(parquet(unsubscribed_at=["2026-01-05 12:00"] * 3), {1: "k1", 2: "k2", 3: "kz"}),
    "dates for moments": Case(
        parquet(unsubscribed_at=[dt.date(2026, 1, 5)]), {},
        {1: ('{"contact_id": "k1", "unsubscribed_at": "2026-01-05"}', [NO_MOMENT])},
    ),
    "invalid UTF-8": Case(
        parquet(source=pa.array([None, b"\xff", None])), {1: "k1", 3: "kz"},
        {2: (r'{"contact_id": "k2", "unsubscribed_at": "2026-01-05T12:00:00", "source": "\\xff"}', [NO_UTF8])},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PARQUET.values(), ids=PARQUET)
def test_broken_parquet_is_rejected_row_by_row_or_refused(warehouse, case):
    check(warehouse, "2026-01-05.parquet", case)


# Files under the name of another kind

ZIP = io.BytesIO()
with zipfile.ZipFile(ZIP, "w") as archive:
    archive.writestr("2026-01-05.csv", among())

MISNAMED = {
    "gzip twice": ("csv", gzip.compress(gzip.compress(among())), "compressed twice: gzip within gzip"),
    "ZIP named .csv": ("csv", ZIP.getvalue(), "zip, not CSV as its name says; unpack it"),
    "ZIP named .csv.gz": ("csv.gz", ZIP.getvalue(), "zip, not CSV as its name says; unpack it"),
    "Parquet named .csv": ("csv", WHOLE, "Parquet, not CSV as its name says; name it `.parquet`"),
    "cut gzip": ("csv.gz", gzip.compress(among())[:-9], "not a complete gzip file"),
    "gzip with a cut second member": ("jsonl.gz", zipped(objects())[:-3], "not a complete gzip file"),
    "corrupt gzip": ("jsonl.gz", gzip.compress(objects())[:-8] + bytes(8), "not a complete gzip file"),
    "gzip with rubbish after it": ("csv.gz", gzip.compress(among()) + b"rubbish", "not a complete gzip file"),
}


@pytest.mark.parametrize(("extension", "content", "refusal"), MISNAMED.values(), ids=MISNAMED)
def test_a_file_whose_content_is_not_of_its_extension_is_refused_or_rejected(warehouse, extension, content, refusal):
    check(warehouse, f"2026-01-05.{extension}", Case(content, refusal=refusal))


# Sizes

MANY = 300_000
"""More rows than a batch holds."""


@pytest.mark.parametrize(("position", "extension"), [(0, "csv"), (MANY // 2, "csv.gz"), (MANY, "csv")])
def test_an_unclosed_quote_in_a_large_file_rejects_only_its_line(warehouse, position, extension):
    good = [b"k%d,2026-01-05T12:00:00,\n" % number for number in range(MANY)]
    content = HEADER + b"".join([*good[:position], b'kx,2026-01-05T12:00,"never closed\n', *good[position:]])
    contacts = {number + 1 + (number >= position): f"k{number}" for number in range(MANY)}
    case = Case(content, contacts, {position + 1: ('kx,2026-01-05T12:00,"never closed', [UNCLOSED])})
    check(
        warehouse,
        f"2026-01-05.{extension}",
        replace(case, content=gzip.compress(content, 1)) if extension == "csv.gz" else case,
    )


LONG = {
    "a CSV line": ("csv", among(b"k2,2026-01-05T12:00," + b"x" * 10_000_000)),
    "a quoted CSV field": ("csv", among(b'k2,2026-01-05T12:00,"' + b"x" * 10_000_000 + b'"')),
    "a JSON line": ("jsonl", objects(b'{"contact_id": "' + b"x" * 10_000_000 + b'"}')),
    "a zipped line of 100 MB": ("jsonl.gz", gzip.compress(objects(b"x" * 100_000_000), 1)),
}


@pytest.mark.parametrize(("extension", "content"), LONG.values(), ids=LONG)
def test_a_line_of_megabytes_is_one_rejected_row_in_bounded_memory(warehouse, extension, content):
    warehouse.drop(f"2026-01-05.{extension}", content)
    tracemalloc.start()
    (loaded,) = warehouse.load().values()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (loaded.records, loaded.accepted, loaded.rejected) == (3, 2, 1)
    assert warehouse.contacts() == ["k1", "kz"]
    warehouse.quarantine()
    ((number, size, reasons),) = warehouse.published("select row_number, strlen(raw_row), reasons from rejected_rows")
    assert (number, size, reasons) == (2, 64 << 10, [TOO_LONG])
    assert peak < 70 << 20


@pytest.mark.parametrize("extension, line", [("csv", b"x,\n"), ("csv", b"x\n"), ("jsonl", b"x\n")])
def test_many_short_bad_lines_are_read_in_batches(warehouse, monkeypatch, extension, line):
    monkeypatch.setattr(reader_content, "BLOCK_LINES", 1000)
    warehouse.drop(f"2026-01-05.{extension}", (HEADER if extension == "csv" else b"") + line * 5000)
    together = []

    def counting(log, text, faults):
        together.append(text.height)
        return validate(log, text, faults)

    (loaded,) = warehouse.load(batch_rows=1, validate=counting).values()
    assert (loaded.records, loaded.rejected) == (5000, 5000)
    assert max(together) <= 1000
