"""One odd file never stops the others: whatever reading or validating it raises, and however wide, deep or old it is."""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from polars.exceptions import PanicException

from models.rejections import ValidationResult
from quality.admission import validate
from tests.unit.test_load import HEADER, LoadFolder, row, rows
from warehouse.ingest import rows as file_rows
from warehouse.ingest.readers import records
from warehouse.ingest.readers.records import Layout, ReconciliationError, Records

ODD = "2026-01-02.csv"
ERRORS = [
    ValueError("secret of k1"), OverflowError(), MemoryError(), RecursionError(), AssertionError(), KeyError("x"),
    UnicodeDecodeError("utf-8", b"x", 0, 1, "odd"), StopIteration(), pa.ArrowInvalid("odd"), pl.exceptions.ComputeError("odd"),
    ReconciliationError("1 line in the file, 2 accounted for"), PanicException("odd"),
]  # fmt: skip


@pytest.fixture
def warehouse(tmp_path: Path) -> LoadFolder:
    """Three files, of which the second one is odd."""
    warehouse = LoadFolder(tmp_path)
    for day in (1, 2, 3):
        warehouse.drop(f"2026-01-0{day}.csv", HEADER + row(day) * 4)
    return warehouse


def _assert_only_the_odd_one_is_refused(warehouse: LoadFolder, loaded: dict[str, Any]) -> None:
    assert loaded[ODD].refusal.startswith("reader failed: ")
    assert "secret" not in loaded[ODD].refusal
    assert [loaded[f"2026-01-0{day}.csv"].refusal for day in (1, 3)] == [None, None]
    assert warehouse.contacts() == ["k1"] * 4 + ["k3"] * 4
    assert warehouse.temp_files() == []


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("batches", [0, 1, 2])
@pytest.mark.parametrize("batch_rows", [1, 1000])
def test_an_error_of_a_reader_refuses_that_file(
    warehouse: LoadFolder, monkeypatch: pytest.MonkeyPatch, error: BaseException, batches: int, batch_rows: int
) -> None:
    def read(path: Path, layout: Layout) -> Iterator[Records]:
        for read, batch in enumerate(open_records(path, layout)):
            if path.name == ODD and read == batches:
                raise error
            yield batch
        if path.name == ODD:
            raise error

    open_records = file_rows.open_records
    monkeypatch.setattr(file_rows, "open_records", read)
    monkeypatch.setattr("warehouse.ingest.readers.content.BLOCK_BYTES", 64)
    monkeypatch.setattr("warehouse.ingest.readers.content.BLOCK_LINES", 1)
    _assert_only_the_odd_one_is_refused(warehouse, warehouse.load(batch_rows))
    monkeypatch.setattr(file_rows, "open_records", open_records)
    assert list(warehouse.load()) == [ODD], "each refresh tries again"
    assert warehouse.contacts(ODD) == ["k2"] * 4


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("batch_rows", [1, 1000])
def test_an_error_of_the_validation_refuses_that_file(
    warehouse: LoadFolder, error: BaseException, batch_rows: int
) -> None:
    def failing(log: Any, text: pl.DataFrame, faults: Any) -> ValidationResult:
        if (text["contact_id"] == "k2").any():
            raise error
        return validate(log, text, faults)

    _assert_only_the_odd_one_is_refused(warehouse, warehouse.load(batch_rows, validate=failing))


def test_a_full_disk_is_no_fault_of_the_file(warehouse: LoadFolder) -> None:
    def failing(log: Any, text: pl.DataFrame, faults: Any) -> ValidationResult:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        warehouse.load(validate=failing)
    assert warehouse.ledger.files() == []
    assert warehouse.temp_files() == []


# --- wide, old, large


def _wide(count: int) -> bytes:
    names = ",".join(f"x{number}" for number in range(count))
    return (
        b"contact_id,unsubscribed_at,source,%b\n" % names.encode()
        + b'k1,2026-01-05T12:00,"link"'
        + b"," * count
        + b"\n"
    )


def test_a_wide_csv_file_with_a_quote_is_read(warehouse: LoadFolder) -> None:
    warehouse.drop(ODD, _wide(records.MAX_COLUMNS - 3))
    loaded = warehouse.load()[ODD]
    assert (loaded.refusal, loaded.accepted, len(loaded.unknown_columns)) == (None, 1, records.MAX_UNKNOWN_COLUMNS)


@pytest.mark.parametrize("count", [1_000, 5_007, 100_000])
def test_too_many_columns_are_refused_by_their_number(warehouse: LoadFolder, count: int) -> None:
    warehouse.drop(ODD, _wide(count))
    table = pa.table({"contact_id": ["k1"], **{f"x{number}": ["1"] for number in range(min(count, 5_007))}})
    pq.write_table(table, warehouse.drop("2026-01-04.parquet", b""))
    loaded = warehouse.load()
    assert loaded[ODD].refusal == f"{count + 3:,} columns; a file may have 1,000"
    assert loaded["2026-01-04.parquet"].refusal.endswith("columns; a file may have 1,000")
    assert loaded["2026-01-03.csv"].refusal is None


def test_of_many_unknown_keys_some_are_recorded(warehouse: LoadFolder) -> None:
    line = {"contact_id": "k1", "unsubscribed_at": "2026-01-05T12:00"}
    content = "".join(json.dumps(line | {f"key {number}": number}) + "\n" for number in range(20_000))
    warehouse.drop("2026-01-04.jsonl", content.encode())
    loaded = warehouse.load()["2026-01-04.jsonl"]
    assert (loaded.accepted, len(loaded.unknown_columns)) == (20_000, records.MAX_UNKNOWN_COLUMNS)


@pytest.mark.parametrize("seconds", [-(2**33), 2**34, 2**36])
def test_a_file_of_any_time_is_loaded_once(warehouse: LoadFolder, seconds: int) -> None:
    path = warehouse.drop(ODD, rows(1))
    try:
        os.utime(path, ns=(seconds * 10**9, seconds * 10**9))
    except (OSError, OverflowError):
        pytest.skip("the file system cannot store this time")
    assert warehouse.load()[ODD].refusal is None
    assert warehouse.load() == {}


def test_blank_lines_are_no_records(warehouse: LoadFolder) -> None:
    blank = b"\n \n\t\r\n" * 50_000
    warehouse.drop(ODD, HEADER + blank + row(1) + blank + row(2) + blank)
    warehouse.drop("2026-01-04.csv", HEADER + blank + b'k1,2026-01-05T12:00,"a\n\nb"\n' + blank + row(2))
    warehouse.drop("2026-01-05.csv.gz", gzip.compress(blank + HEADER + blank))
    loaded = warehouse.load()
    for name, count in ((ODD, 2), ("2026-01-04.csv", 2), ("2026-01-05.csv.gz", 0)):
        assert (loaded[name].refusal, loaded[name].records, loaded[name].accepted) == (None, count, count)


def test_a_dictionary_that_repeats_a_long_value_is_read_in_parts(
    warehouse: LoadFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse.ingest.readers.parquet_files.BYTES_PER_BATCH", 1 << 20)
    long = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 100, pa.int32()), pa.array(["x" * 3_000_000, "link"]))
    moments = ["2026-01-05T12:00"] * 200
    path = warehouse.drop("2026-01-04.parquet", b"")
    contacts = [f"k{number}" for number in range(200)]
    pq.write_table(pa.table({"contact_id": contacts, "unsubscribed_at": moments, "source": long, "unused": long}), path)
    loaded = warehouse.load()["2026-01-04.parquet"]
    assert (loaded.records, loaded.accepted, loaded.rejected, loaded.unknown_columns) == (200, 100, 100, ("unused",))
    assert warehouse.contacts("2026-01-04.parquet") == [f"k{number}" for number in range(1, 200, 2)]


def test_a_long_list_in_a_known_column_is_refused(warehouse: LoadFolder) -> None:
    path = warehouse.drop("2026-01-04.parquet", b"")
    lists = pa.ListArray.from_arrays(pa.array([0, 2_000_000]), pa.array([7] * 2_000_000, pa.int32()))
    pq.write_table(pa.table({"contact_id": ["k1"], "unsubscribed_at": ["2026-01-05T12:00"], "source": lists}), path)
    refusal = warehouse.load()["2026-01-04.parquet"].refusal
    assert refusal == "column source must be text or a number, not list<element: int32> with 2,000,000 values"
