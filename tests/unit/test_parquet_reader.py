"""The Parquet reader: the canonical text of every type, values without text, incomplete files.

Not here: the rules for values (`test_text_types`, `test_admission`).
"""

import datetime as dt
import io
import json
import uuid
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracle import records as oracle
from tests.unit.conftest import FileReading
from warehouse.ingest.readers import parquet_files
from warehouse.ingest.readers.records import Layout, RefusedFile

ONE = Layout(("a",), ())
UUID = uuid.UUID("0AF1E2D3-C4B5-4968-8776-655443322110")
LAYOUT = Layout(("a", "b"), ("a", "b"))
MOMENT = dt.datetime(2026, 1, 5, 12, 30)
MICROSECONDS = 1767616200_000000
"""The same time, since 1970."""


def parquet(columns, **options) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, **options)
    return buffer.getvalue()


def unchecked_text(values: list[bytes]) -> pa.Array:
    """A text column with arbitrary bytes: Parquet does not check that text is UTF-8."""
    _, offsets, data = pa.array(values, pa.binary()).buffers()
    return pa.StringArray.from_buffers(len(values), offsets, data)


TEXTS = {
    "text": (pa.array(["x", "", " é😀 ", None, "1.50"]), ["x", None, " é😀 ", None, "1.50"]),
    "large text": (pa.array(["x", None], pa.large_string()), ["x", None]),
    "text views": (pa.array(["x", "longer than twelve bytes", None], pa.string_view()), ["x", "longer than twelve bytes", None]),
    "text with line breaks, quotes and commas": (pa.array(['a\n"b",\r\n']), ['a\n"b",\r\n']),
    "text in a dictionary": (pa.array(["x", None, "x", "y"]).dictionary_encode(), ["x", None, "x", "y"]),
    "binary that is UTF-8": (pa.array(["é".encode(), None], pa.binary()), ["é", None]),
    "binary of a fixed size": (pa.array([b"ab", None], pa.binary(2)), ["ab", None]),
    "large binary": (pa.array([b"ab", None], pa.large_binary()), ["ab", None]),
    "binary in a dictionary": (pa.array([b"ab", None, b"ab"]).dictionary_encode(), ["ab", None, "ab"]),
    "int8": (pa.array([-128, 127, None], pa.int8()), ["-128", "127", None]),
    "int16": (pa.array([-32768, 0], pa.int16()), ["-32768", "0"]),
    "int32": (pa.array([-(2**31), 7], pa.int32()), ["-2147483648", "7"]),
    "int64": (pa.array([-(2**63), 2**63 - 1], pa.int64()), ["-9223372036854775808", "9223372036854775807"]),
    "uint8": (pa.array([0, 255], pa.uint8()), ["0", "255"]),
    "uint64": (pa.array([2**64 - 1, None], pa.uint64()), ["18446744073709551615", None]),
    "integers in a dictionary": (pa.array([7, None, 7]).dictionary_encode(), ["7", None, "7"]),
    "doubles": (
        pa.array([2.0, -2.0, 0.1, 1.5, 0.0, 100.0, 0.1 + 0.2, None]),
        ["2", "-2", "0.1", "1.5", "0", "100", "0.30000000000000004", None],
    ),
    "small and large doubles have no exponent": (
        pa.array([1e-7, 1e22, 123456789012345680.0, 5e-324]),
        ["0.0000001", "1" + "0" * 22, "123456789012345680", "0." + "0" * 323 + "5"],
    ),
    "floats by the shortest of their own width": (
        pa.array([2.0, 0.1, 16777216.0, None], pa.float32()),
        ["2", "0.1", "16777216", None],
    ),
    "half floats by the shortest of their own width": (pa.array([2.0, 0.1, None], pa.float16()), ["2", "0.1", None]),
    "UUIDs": (pa.array([UUID.bytes, None], pa.uuid()), [str(UUID), None]),
    "decimals": (pa.array([Decimal("12.50"), Decimal("-0.01"), None]), ["12.50", "-0.01", None]),
    "small decimals have no exponent": (pa.array([Decimal("0.00000001")], pa.decimal128(18, 8)), ["0.00000001"]),
    "zero with a scale": (pa.array([Decimal(0)], pa.decimal128(18, 8)), ["0.00000000"]),
    "wide decimals": (pa.array([Decimal("9" * 40 + ".5")], pa.decimal256(50, 1)), ["9" * 40 + ".5"]),
    "dates": (pa.array([dt.date(2026, 1, 5), None]), ["2026-01-05", None]),
    "dates in milliseconds": (pa.array([dt.date(2026, 1, 5), None], pa.date64()), ["2026-01-05", None]),
    "nulls of no type": (pa.nulls(2), [None, None]),
}  # fmt: skip


@pytest.mark.parametrize("array, texts", TEXTS.values(), ids=TEXTS)
def test_a_value_is_its_canonical_text(read_file, array, texts):
    reading = read_file("f.parquet", parquet({"a": array}), ONE)
    assert reading.rows == {number: (text,) for number, text in enumerate(texts, 1)}
    assert reading.faults == set()


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin", "America/New_York", "+00:00", "+02:00", "-05:30"])
def test_a_timestamp_is_iso_8601_in_utc_if_it_has_a_zone(read_file, zone, unit):
    """A time zone does not change the time, only how it is displayed."""
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    array = pa.array([MICROSECONDS * per_second // 10**6, None], pa.int64()).view(pa.timestamp(unit, zone))
    reading = read_file("f.parquet", parquet({"a": array}), ONE)
    assert reading.rows == {1: ("2026-01-05T12:30:00" + "Z" * bool(zone),), 2: (None,)}
    assert json.loads(reading.raw[2]) == {"a": None}


@pytest.mark.parametrize(
    ("nanoseconds", "fraction"),
    [(500_000_000, ".5"), (1_000, ".000001"), (123_456_000, ".123456")],
)
def test_a_timestamp_has_the_digits_of_a_second_that_it_needs(read_file, nanoseconds, fraction):
    array = pa.array([MICROSECONDS * 1000 + nanoseconds], pa.timestamp("ns"))
    assert read_file("f.parquet", parquet({"a": array}), ONE).rows == {1: (f"2026-01-05T12:30:00{fraction}",)}


def test_a_timestamp_with_nanoseconds_rejects_its_row_in_a_column_of_any_type(read_file):
    array = pa.array([MICROSECONDS * 1000 + nanoseconds for nanoseconds in (1, 1000, 123_456_780)], pa.timestamp("ns"))
    reading = read_file("f.parquet", parquet({"a": array}), ONE)
    assert {number for number, _, _ in reading.faults} == {1, 3}
    assert json.loads(reading.raw[1]) == {"a": "2026-01-05T12:30:00.000000001"}


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()], ids=str)
def test_no_number_and_infinity_reject_their_rows_in_a_column_of_any_type(read_file, kind):
    array = pa.array([1, float("nan"), float("inf"), float("-inf"), None], kind)
    reading = read_file("f.parquet", parquet({"a": array}), ONE)
    assert {number for number, _, _ in reading.faults} == {2, 3, 4}
    assert [json.loads(reading.raw[number])["a"] for number in (2, 3, 4)] == ["nan", "inf", "-inf"]


@pytest.mark.parametrize(("kind", "digits"), [(pa.float16(), 11), (pa.float32(), 24), (pa.float64(), 53)], ids=str)
@pytest.mark.parametrize("is_encoded", [False, True])
def test_a_floating_point_id_that_may_have_been_rounded_rejects_its_row(read_file, kind, digits, is_encoded):
    array = pa.array([2.0**digits - 1, 2.0**digits, -(2.0**digits), 1 - 2.0**digits, 2.0, None], kind)
    content = parquet({"a": array.dictionary_encode() if is_encoded else array, "b": array})
    reading = read_file("f.parquet", content, Layout(("a", "b"), (), ids=frozenset({"a"})))
    assert {(number, column) for number, column, _ in reading.faults} == {(2, "a"), (3, "a")}


def test_a_large_integer_id_is_exact(read_file):
    array = pa.array([2**53, 2**53 + 1, -(2**63)], pa.int64())
    reading = read_file("f.parquet", parquet({"a": array}), Layout(("a",), (), ids=frozenset({"a"})))
    assert reading.rows == {1: (str(2**53),), 2: (str(2**53 + 1),), 3: (str(-(2**63)),)}
    assert reading.faults == set()


FAR_OFF = {
    "a timestamp far ahead": pa.array([2**62], pa.timestamp("us")),
    "a timestamp long past, with a zone": pa.array([-(2**62)], pa.timestamp("us", "UTC")),
    "a timestamp in milliseconds far ahead": pa.array([2**55], pa.timestamp("ms")),
    "a date far ahead": pa.array([2**31 - 1], pa.int32()).view(pa.date32()),
    "a date long past": pa.array([-(2**31)], pa.int32()).view(pa.date32()),
    "a zone that nobody knows": pa.array([MICROSECONDS], pa.timestamp("us", "Nowhere/Else")),
}


@pytest.mark.parametrize("array", FAR_OFF.values(), ids=FAR_OFF)
def test_a_time_outside_the_calendar_affects_no_other_row(read_file, array):
    """It becomes a text or an unreadable value that the rules reject, and is readable in quarantine."""
    array = pa.chunked_array([array, pa.array([None], array.type)]).combine_chunks()
    reading = read_file("f.parquet", parquet({"a": array, "b": ["x", "y"]}), LAYOUT)
    assert [values[1] for values in reading.rows.values()] == ["x", "y"]
    assert reading.rows[2] == (None, "y")
    assert all(json.loads(raw)["b"] in "xy" for raw in reading.raw.values())


WITHOUT_TEXT = {
    "booleans": (pa.array([None, True, False]), "boolean"),
    "booleans in a dictionary": (pa.array([None, True, False]).dictionary_encode(), "boolean"),
    "lists": (pa.array([None, [1], []]), "list"),
    "large lists": (pa.array([None, ["x"], []], pa.large_list(pa.string())), "list"),
    "structures": (pa.array([None, {"x": 1}, {"x": None}]), "struct"),
    "maps": (pa.array([None, [("k", 1)], []], pa.map_(pa.string(), pa.int64())), "map"),
    "times of day": (pa.array([None, dt.time(1), dt.time(2)]), "time"),
    "durations": (pa.array([None, dt.timedelta(1), dt.timedelta(2)]), "duration"),
    "bytes that are no text": (pa.array([None, b"\xff", b"\xc3"]), "UTF-8"),
    "bytes that are no text, in a dictionary": (pa.array([None, b"\xff", b"\xc3"]).dictionary_encode(), "UTF-8"),
}


@pytest.mark.parametrize("array, says", WITHOUT_TEXT.values(), ids=WITHOUT_TEXT)
def test_a_value_without_text_is_unreadable_and_a_null_is_not(read_file, array, says):
    reading = read_file("f.parquet", parquet({"a": array, "b": ["x", "y", "z"]}), LAYOUT)
    assert reading.rows == {1: (None, "x"), 2: (None, "y"), 3: (None, "z")}
    assert {(number, column) for number, column, _ in reading.faults} == {(2, "a"), (3, "a")}
    assert all(says in rule for _, _, rule in reading.faults)
    assert [json.loads(raw)["b"] for raw in reading.raw.values()] == ["x", "y", "z"]


@pytest.mark.parametrize("column", [unchecked_text, pa.array], ids=["text", "binary"])
def test_invalid_utf_8_is_unreadable_and_escaped_in_the_raw_row(read_file, column):
    reading = read_file("f.parquet", parquet({"a": column([b"x", b"y\xff", "é".encode()])}), ONE)
    assert reading.rows == {1: ("x",), 2: (None,), 3: ("é",)}
    assert {(number, column) for number, column, _ in reading.faults} == {(2, "a")}
    assert [json.loads(raw)["a"] for raw in reading.raw.values()] == ["x", "y\\xff", "é"]


def test_raw_rows_are_json_with_the_columns_of_the_log(read_file):
    columns = {
        "unknown": pa.array(["not decoded", None]),
        "b": pa.array([Decimal("1.50"), None]),
        "x": pa.array([[1], None]),
        "a": pa.array(["é", None]),
        "n": pa.array([1.5, float("nan")]),
        "t": pa.array([MOMENT, None]),
    }
    layout = Layout(("a", "b", "n", "t", "x"), ())
    raw = read_file("f.parquet", parquet(columns), layout).raw
    no_constant = {"parse_constant": lambda name: pytest.fail(f"{name} is not JSON")}
    first, second = json.loads(raw[1], **no_constant), json.loads(raw[2], **no_constant)
    assert (first["a"], first["b"], first["x"]) == ("é", "1.50", [1])
    assert list(first) == list(second) == list(layout.columns)
    assert (second["a"], second["b"], second["x"], second["t"]) == (None, None, None, None)


def test_unknown_columns_are_reported_and_missing_ones_are_null(read_file):
    layout = Layout(("a", "b", "c"), ("a", "b"))
    reading = read_file("f.parquet", parquet({"x": [True], "b": ["2"], "a": [1], "A": [None]}), layout)
    assert reading.rows == {1: ("1", "2", None)}
    assert reading.faults == set()
    assert reading.unknown_columns == {"x", "A"}


@pytest.mark.parametrize("block_bytes", [1, 7])
def test_row_numbers_continue_across_batches_and_row_groups(read_file, monkeypatch, block_bytes):
    monkeypatch.setattr(parquet_files, "ROWS_PER_BATCH", block_bytes)
    content = parquet({"a": list(range(50)), "b": [None] * 25 + [True] + [None] * 24}, row_group_size=10)
    reading = read_file("f.parquet", content, LAYOUT)
    assert reading.rows == {number + 1: (str(number), None) for number in range(50)}
    assert {(number, column) for number, column, _ in reading.faults} == {(26, "b")}
    assert json.loads(reading.raw[50]) == {"a": 49, "b": None}


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
def test_every_compression_is_read(read_file, compression):
    content = parquet({"a": [1], "b": ["x"]}, compression=compression)
    assert read_file("f.parquet", content, LAYOUT).rows == {1: ("1", "x")}


def test_files_written_by_polars_are_read(read_file):
    buffer = io.BytesIO()
    frame = pl.DataFrame({"a": ["x", None], "b": pl.Series(["y", "z"], dtype=pl.Categorical)})
    frame.write_parquet(buffer)
    reading = read_file("f.parquet", buffer.getvalue(), LAYOUT)
    assert reading.rows == {1: ("x", "y"), 2: (None, "z")}
    assert json.loads(reading.raw[2]) == {"a": None, "b": "z"}


# Incomplete files

WHOLE = parquet({"a": list(range(1000)), "b": [f"value {number}" for number in range(1000)]}, compression="none")
FOOTER = int.from_bytes(WHOLE[-8:-4], "little")
"""The size of its footer in bytes."""


def twice() -> bytes:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], names=["a", "b", "a"])
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


REFUSED = {
    "text": (b"a,b\n1,2\n", "^CSV, not Parquet as its name says; name it `.csv`$"),
    "text that begins as Parquet does": (b"PAR1,b\n1,2\n", "Parquet"),
    "JSON": (b'{"a": 1, "b": 2}\n', "^JSON, not Parquet as its name says; name it `.jsonl`$"),
    "one byte": (b"P", "Parquet"),
    "no more than its first bytes": (WHOLE[:4], "Parquet"),
    "cut in the middle": (WHOLE[: len(WHOLE) // 2], "Parquet"),
    "cut before the end": (WHOLE[:-1], "Parquet"),
    "without its footer": (WHOLE[:-8], "Parquet"),
    "a footer of rubbish": (WHOLE[: -FOOTER - 8] + bytes(FOOTER) + WHOLE[-8:], "Parquet"),
    "rows of rubbish": (WHOLE[:4] + bytes(2000) + WHOLE[2004:], "Parquet"),
    "nothing but zeros": (bytes(1000), "Parquet"),
    "a required column missing": (parquet({"a": [1]}), "b"),
    "a required column in another case": (parquet({"a": [1], "B": [1]}), "b"),
    "a column twice": (twice(), "a"),
    "no columns": (parquet({}), "a"),
    "a required column missing, without rows": (parquet({"a": pa.array([], pa.string())}), "b"),
}


@pytest.mark.parametrize("content, says", REFUSED.values(), ids=REFUSED)
def test_an_incomplete_file_is_refused_with_the_reason(read_file, content, says):
    with pytest.raises(RefusedFile, match=says):
        read_file("f.parquet", content, LAYOUT)


@pytest.mark.parametrize("mask", [0b00000010, 0b10000000])
def test_a_file_with_a_changed_byte_is_read_or_refused(read_file, mask):
    """The changed byte may be in the rows or in the footer: the file is refused, and the load goes on."""
    columns = {"a": [f"value {number}" for number in range(20)], "b": [MOMENT] * 20}
    content = parquet(columns, compression="none", use_dictionary=False)
    broke_off = {}
    for at in range(0, len(content), 2):
        damaged = content[:at] + bytes([content[at] ^ mask]) + content[at + 1 :]
        try:
            read_file("f.parquet", damaged, LAYOUT)
        except RefusedFile:
            pass
        except (Exception, pl.exceptions.PanicException) as error:
            broke_off[at] = repr(error)[:100]
    assert broke_off == {}


def test_an_empty_file_and_one_without_rows_have_no_rows(read_file):
    nothing = pa.array([], pa.string())
    assert read_file("f.parquet", b"", LAYOUT) == FileReading()
    assert read_file("f.parquet", parquet({"a": nothing, "b": nothing}), LAYOUT).count == 0


# Random values


def arrays(values, kind):
    return st.lists(st.none() | values, max_size=10).map(lambda drawn: pa.array(drawn, kind))


ARRAYS = st.one_of(
    arrays(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), pa.string()),
    arrays(st.binary(max_size=3), pa.binary()),
    arrays(st.integers(-(2**63), 2**63 - 1), pa.int64()),
    arrays(st.floats(), pa.float64()),
    arrays(st.floats(width=32), pa.float32()),
    arrays(st.uuids().map(lambda drawn: drawn.bytes), pa.uuid()),
    arrays(st.integers(-(2**62), 2**62), pa.timestamp("ns")),
    arrays(st.decimals(-(10**9), 10**9, places=8), pa.decimal128(18, 8)),
    arrays(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1)), pa.timestamp("us")),
    arrays(st.dates(), pa.date32()),
    arrays(st.booleans(), pa.bool_()),
)


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(array=ARRAYS)
def test_random_values_are_read_like_the_oracle(read_file, array):
    content = parquet({"a": array})
    cells = [record.cells["a"] for record in oracle.read_parquet(content).records]
    reading = read_file("f.parquet", content, ONE)
    at_fault = {number for number, cell in enumerate(cells, 1) if isinstance(cell, oracle.Unfit)}
    assert {number for number, _, _ in reading.faults} == at_fault
    # The contract does not say whether a time has a T or a space, or whether a zero keeps its sign.
    alike = {"-0": "0"} if pa.types.is_floating(array.type) else {}
    values = [text for (text,) in reading.rows.values()]
    if pa.types.is_timestamp(array.type):
        values = [text and text.replace("T", " ") for text in values]
    expected = [None if isinstance(cell, oracle.Unfit) else cell or None for cell in cells]
    assert [alike.get(text, text) for text in values] == [alike.get(text, text) for text in expected]
