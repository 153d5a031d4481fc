"""The load, from files in a landing zone to rows in lake and quarantine: no row is lost, doubled or half loaded."""

import gzip
import resource
from datetime import date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.enums import Log
from models.rejections import ValidationResult
from quality.admission import validate
from tests.running import opened
from warehouse.config.paths import DataPaths
from warehouse.config.settings import Settings
from warehouse.ingest.load import load
from warehouse.ingest.readers import content as reader_content
from warehouse.ingest.staging import StagingJob
from warehouse.landing.scan import scan
from warehouse.ledger import Ledger, LoadedFile
from warehouse.quarantine import write_published_quarantine

HEADER = b"contact_id,unsubscribed_at,source\n"
LOG = Log.UNSUBSCRIBES


def row(number: int, source: str = "link") -> bytes:
    return f"k{number},2026-01-05T12:{number % 60:02},{source}\n".encode()


def rows(count: int, source: str = "link") -> bytes:
    return HEADER + b"".join(row(number, source) for number in range(1, count + 1))


BAD = b"k9,yesterday,link\n"


class LoadFolder:
    """A landing zone, and the data folder that its files are loaded into."""

    def __init__(self, folder: Path) -> None:
        self.landing = folder / "landing"
        self.settings = Settings(landing=self.landing, data=folder / "data")
        self.paths = DataPaths.of(self.settings)
        self.ledger = Ledger(self.paths.ledger)

    def drop(self, name: str, content: bytes, log: Log = LOG) -> Path:
        path = self.landing / log / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def load(self, batch_rows: int = 1000, validate=validate, log: Log = LOG) -> dict[str, LoadedFile]:
        files = self.ledger.pending_files(scan(self.landing).files_of(log))
        job = StagingJob(self.paths, validate, batch_rows=batch_rows)
        return {file.source_file: file for file in load(job, self.ledger, files)}

    def contacts(self, source_file: str | None = None) -> list[str]:
        """The contacts of the rows in the lake, in the order of file and row."""
        frames = [self._read(file) for file in sorted(self.paths.lake.glob("*/log_date=*/*.parquet"))]
        if not frames:
            return []
        frame = pl.concat(frames).sort("source_file", "row_number")
        if source_file:
            frame = frame.filter(pl.col("source_file") == source_file)
        return frame["contact_id"].to_list()

    def _read(self, file: Path) -> pl.DataFrame:
        return pl.read_parquet(file, hive_partitioning=False)

    def quarantine(
        self, query: str = "select source_file, row_number, raw_row from rejected_rows order by all"
    ) -> list[tuple]:
        """Publishes the quarantine and queries it: by default file, row number and raw row of every row."""
        write_published_quarantine(self.settings, self.paths, [], mask_phone_numbers=False)
        return self.published(query)

    def published(self, query: str) -> list[tuple]:
        with opened(self.paths.published_quarantine) as session:
            session.execute("use opened")
            return session.execute(query).fetchall()

    def temp_files(self) -> list[str]:
        return [path.name for path in self.paths.data.rglob("*") if ".tmp" in path.name]


@pytest.fixture
def warehouse(tmp_path) -> LoadFolder:
    return LoadFolder(tmp_path)


def test_accepted_rows_are_typed_and_have_file_and_row_number(warehouse):
    warehouse.drop(
        "2026-01-07/gw 1.csv", HEADER + b"k1, 2026-01-05T12:00+02:00 ,\n" + BAD + b"k2,2026-01-05 12:00:00.5Z,reply\n"
    )
    loaded = warehouse.load()["2026-01-07/gw 1.csv"]
    assert (loaded.log, loaded.log_date, loaded.refusal) == (LOG, date(2026, 1, 7), None)
    assert (loaded.records, loaded.accepted, loaded.rejected) == (3, 2, 1)
    (file,) = warehouse.paths.lake.glob("unsubscribes/log_date=2026-01-07/*.parquet")
    assert pl.read_parquet(file, hive_partitioning=False).sort("row_number").to_dicts() == [
        {
            "contact_id": "k1",
            "unsubscribed_at": datetime(2026, 1, 5, 10),
            "mobile_number": None,
            "source": None,
            "source_file": "2026-01-07/gw 1.csv",
            "row_number": 1,
        },
        {
            "contact_id": "k2",
            "unsubscribed_at": datetime(2026, 1, 5, 12, 0, 0, 500000),
            "mobile_number": None,
            "source": "reply",
            "source_file": "2026-01-07/gw 1.csv",
            "row_number": 3,
        },
    ]  # fmt: skip


CONTENTS = {
    "csv": HEADER + row(1) + BAD + b"broken\n" + row(2),
    "csv.gz": gzip.compress(HEADER + row(1) + BAD + b"broken\n" + row(2)),
    "jsonl": b'{"contact_id": "k1", "unsubscribed_at": "2026-01-05T12:00"}\n{"contact_id": "k9"}\nbroken\n'
    b'{"contact_id": "k2", "unsubscribed_at": "2026-01-05T12:00"}\n',
}


def test_the_ledger_records_the_result_of_a_load(warehouse):
    path = warehouse.drop(
        "2026-01-05.csv", b"contact_id,unsubscribed_at,x,y\nk1,2026-01-03T12:00,,\nk2,2026-01-09T12:00,,\n"
    )
    loaded = warehouse.load()
    (recorded,) = warehouse.ledger.files()
    assert {recorded.source_file: recorded} == loaded
    assert recorded.unknown_columns == ("x", "y")
    assert (recorded.first_event, recorded.last_event) == ("2026-01-03 12:00:00", "2026-01-09 12:00:00")
    assert recorded.sha256 == scan(path.parents[1]).files[0].sha256()


# Replacement


def test_nothing_is_loaded_twice(warehouse):
    warehouse.drop("2026-01-05.csv", rows(2))
    assert list(warehouse.load()) == ["2026-01-05.csv"]
    assert warehouse.load() == {}
    warehouse.drop("2026-01-05.csv", rows(2))
    assert warehouse.load() == {}
    assert warehouse.contacts() == ["k1", "k2"]


def test_a_corrected_file_replaces_all_its_rows(warehouse):
    warehouse.drop("2026-01-05.csv", rows(3) + BAD)
    warehouse.drop("2026-01-05.1.csv", rows(1))
    warehouse.load()
    warehouse.drop("2026-01-05.csv", HEADER + row(7))
    assert list(warehouse.load()) == ["2026-01-05.csv"]
    assert warehouse.contacts("2026-01-05.csv") == ["k7"]
    assert warehouse.contacts("2026-01-05.1.csv") == ["k1"]
    assert warehouse.quarantine() == []


def test_a_file_replaced_by_bad_rows_keeps_no_old_rows(warehouse):
    warehouse.drop("2026-01-05.csv", rows(3))
    warehouse.load()
    warehouse.drop("2026-01-05.csv", HEADER + BAD)
    (loaded,) = warehouse.load().values()
    assert (loaded.records, loaded.accepted, loaded.rejected) == (1, 0, 1)
    assert warehouse.contacts() == []
    assert warehouse.quarantine() == [("2026-01-05.csv", 1, "k9,yesterday,link")]


@pytest.mark.parametrize("content", [b"", b"\n", HEADER, b"\xef\xbb\xbf"], ids=["no bytes", "blank", "header", "mark"])
def test_an_empty_file_removes_the_rows_of_its_previous_version(warehouse, content):
    warehouse.drop("2026-01-05.csv", rows(3) + BAD)
    warehouse.load()
    warehouse.drop("2026-01-05.csv", content)
    (loaded,) = warehouse.load().values()
    assert (loaded.records, loaded.refusal, loaded.first_event) == (0, None, None)
    assert (warehouse.contacts(), warehouse.quarantine()) == ([], [])


def test_a_refused_file_loses_the_rows_of_its_previous_version(warehouse):
    warehouse.drop("2026-01-05.csv", rows(3) + BAD)
    warehouse.drop("2026-01-05.1.csv", rows(1))
    warehouse.load()
    warehouse.drop("2026-01-05.csv", b"contact_id\nk1\n")
    (loaded,) = warehouse.load().values()
    assert "unsubscribed_at" in loaded.refusal
    assert (loaded.records, loaded.accepted, loaded.rejected) == (0, 0, 0)
    assert warehouse.contacts() == ["k1"]
    assert warehouse.quarantine() == []
    # Refused once is not read again, until it is whole.
    assert warehouse.load() == {}
    warehouse.drop("2026-01-05.csv", rows(2))
    assert warehouse.load()["2026-01-05.csv"].refusal is None
    assert warehouse.contacts("2026-01-05.csv") == ["k1", "k2"]


def test_a_file_found_damaged_after_many_batches_loads_no_row(warehouse, monkeypatch):
    monkeypatch.setattr(reader_content, "BLOCK_BYTES", 256)
    whole = gzip.compress(rows(200))
    warehouse.drop("2026-01-05.csv.gz", whole[:-4] + bytes(4))
    warehouse.drop("2026-01-06.csv", rows(2))
    loaded = warehouse.load(batch_rows=5)
    assert "gzip" in loaded["2026-01-05.csv.gz"].refusal
    assert (loaded["2026-01-05.csv.gz"].records, loaded["2026-01-06.csv"].records) == (0, 2)
    assert warehouse.contacts() == ["k1", "k2"]
    assert warehouse.temp_files() == []
    warehouse.drop("2026-01-05.csv.gz", whole)
    assert warehouse.load(batch_rows=5)["2026-01-05.csv.gz"].accepted == 200


def test_a_file_that_is_gone_keeps_its_rows(warehouse):
    path = warehouse.drop("2026-01-05.csv", rows(2) + BAD)
    warehouse.load()
    path.unlink()
    assert warehouse.load() == {}
    assert warehouse.contacts() == ["k1", "k2"]
    assert len(warehouse.quarantine()) == 1


def test_files_with_similar_names_do_not_replace_each_other(warehouse):
    names = [
        "2026-01-05.csv",
        "2026-01-05.csv.gz",
        "2026-01-05.a.csv",
        "2026-01-05/a.csv",
        "2026-01-05/a .csv",
        "2026-01-05.A.csv",
    ]
    names += [f"2026-01-05/{'x' * 100}{number}.csv" for number in (1, 2)]
    for name in names:
        warehouse.drop(name, gzip.compress(rows(1)) if name.endswith("gz") else rows(1))
    assert sorted(warehouse.load()) == sorted(names)
    assert warehouse.contacts() == ["k1"] * len(names)


# Batches


@pytest.mark.parametrize(("block_bytes", "batch_rows"), [(20, 1), (20, 7), (10_000, 3), (10_000, 1000)])
def test_the_batch_size_does_not_change_the_result(warehouse, monkeypatch, block_bytes, batch_rows):
    monkeypatch.setattr(reader_content, "BLOCK_BYTES", block_bytes)
    contents = {
        "2026-01-05.0.csv": rows(20) + BAD + b"broken\n" + row(21),
        "2026-01-05.1.csv": b"",
        "2026-01-05.2.csv": HEADER + BAD,
        "2026-01-05.3.csv": HEADER + b"broken\n",
        "2026-01-05.4.csv": b"contact_id\nk1\n",
        "2026-01-05.5.jsonl": CONTENTS["jsonl"],
        "2026-01-05.6.csv": rows(2),
        "2026-01-06.csv": rows(3),
    }
    for name, content in contents.items():
        warehouse.drop(name, content)
    loaded = warehouse.load(batch_rows)
    assert {name: (file.records, file.accepted, file.rejected) for name, file in loaded.items()} == {
        "2026-01-05.0.csv": (23, 21, 2),
        "2026-01-05.1.csv": (0, 0, 0),
        "2026-01-05.2.csv": (1, 0, 1),
        "2026-01-05.3.csv": (1, 0, 1),
        "2026-01-05.4.csv": (0, 0, 0),
        "2026-01-05.5.jsonl": (4, 2, 2),
        "2026-01-06.csv": (3, 3, 0),
        "2026-01-05.6.csv": (2, 2, 0),
    }
    assert [name for name, file in loaded.items() if file.refusal] == ["2026-01-05.4.csv"]
    assert warehouse.contacts("2026-01-05.0.csv") == [f"k{number}" for number in range(1, 22)]
    assert warehouse.contacts("2026-01-05.5.jsonl") == ["k1", "k2"]
    assert [(name, number) for name, number, _ in warehouse.quarantine()] == [
        *(("2026-01-05.0.csv", number) for number in (21, 22)),
        *(("2026-01-05.2.csv", 1), ("2026-01-05.3.csv", 1), ("2026-01-05.5.jsonl", 2), ("2026-01-05.5.jsonl", 3)),
    ]
    assert warehouse.temp_files() == []


def test_small_files_are_validated_together_and_a_large_one_in_parts(warehouse, monkeypatch):
    monkeypatch.setattr(reader_content, "BLOCK_BYTES", 300)
    for number in range(6):
        warehouse.drop(f"2026-01-05.{number}.csv", rows(1))
    warehouse.drop("2026-01-06.csv", rows(100))
    heights = []

    def counting(log, text, faults):
        heights.append(text.height)
        return validate(log, text, faults)

    loaded = warehouse.load(batch_rows=20, validate=counting)
    assert (len(loaded), sum(heights)) == (7, 106)
    assert heights[0] >= 20
    assert 4 <= len(heights) <= 6


def test_an_unreadable_value_rejects_only_its_row_in_a_shared_batch(warehouse):
    good = b'{"contact_id": "k%d", "unsubscribed_at": "2026-01-05T12:00"}\n'
    bad = b'{"contact_id": true, "unsubscribed_at": "2026-01-05T12:00"}\n'
    warehouse.drop("2026-01-05.1.csv", rows(3))
    warehouse.drop("2026-01-05.2.jsonl", good % 4 + b"broken\n" + bad + good % 5)
    warehouse.drop("2026-01-05.3.jsonl", bad + good % 6)
    warehouse.load()
    assert warehouse.contacts() == ["k1", "k2", "k3", "k4", "k5", "k6"]
    assert [(name, number) for name, number, _ in warehouse.quarantine()] == [
        *(("2026-01-05.2.jsonl", 2), ("2026-01-05.2.jsonl", 3), ("2026-01-05.3.jsonl", 1)),
    ]


# Files that change while they are read


def acting_once(act):
    """A validator that performs an action during its first call."""
    actions = [act]

    def acting_validator(log, text, faults):
        if actions:
            actions.pop()()
        return validate(log, text, faults)

    return acting_validator


def test_a_file_replaced_while_it_is_refused_keeps_its_rows(warehouse, monkeypatch):
    monkeypatch.setattr(reader_content, "BLOCK_BYTES", 100)
    warehouse.drop("2026-01-05.csv.gz", gzip.compress(rows(2)))
    warehouse.load()
    whole = gzip.compress(rows(100))
    path = warehouse.drop("2026-01-05.csv.gz", whole[:-20])
    replacement = warehouse.drop(".2026-01-05.csv.gz", whole)
    assert warehouse.load(batch_rows=1, validate=acting_once(lambda: replacement.replace(path))) == {}
    assert warehouse.contacts() == ["k1", "k2"]
    assert warehouse.load()["2026-01-05.csv.gz"].accepted == 100


def test_a_file_that_disappears_before_it_is_read_is_skipped(warehouse):
    path = warehouse.drop("2026-01-05.csv", rows(2))
    warehouse.drop("2026-01-06.csv", rows(1))
    files = scan(warehouse.landing).files_of(LOG)
    path.unlink()
    loaded = load(StagingJob(warehouse.paths, validate), warehouse.ledger, files)
    assert [file.source_file for file in loaded] == ["2026-01-06.csv"]


# Failures of the load itself


def failing_at(call: int):
    calls = []

    def failing(log, text, faults):
        calls.append(1)
        if len(calls) == call:
            raise OSError(28, "No space left on device")
        return validate(log, text, faults)

    return failing


@pytest.mark.parametrize(
    ("call", "batch_rows"),
    [(1, 1), (2, 1), (1, 30), (2, 30), (1, 1000)],
    ids=["the first of many", "one of many", "the first of two", "the last of two", "the only one"],
)
def test_a_failed_load_leaves_the_old_rows_and_no_temporary_files(warehouse, monkeypatch, call, batch_rows):
    monkeypatch.setattr(reader_content, "BLOCK_BYTES", 300)
    warehouse.drop("2026-01-05.csv", rows(2))
    warehouse.load()
    warehouse.drop("2026-01-05.csv", rows(25) + BAD * 25)
    with pytest.raises(OSError, match="No space left"):
        warehouse.load(batch_rows, validate=failing_at(call))
    assert warehouse.contacts() == ["k1", "k2"]
    assert warehouse.temp_files() == []
    (loaded,) = warehouse.load(batch_rows).values()
    assert (loaded.accepted, loaded.rejected) == (25, 25)


def rejecting_rows_twice(log, text, faults):
    validated = validate(log, text, faults)
    return ValidationResult(validated.rows, pl.concat([validated.reasons, validated.reasons]))


def test_a_file_whose_rows_do_not_add_up_is_refused_until_they_do(warehouse):
    warehouse.drop("2026-01-05.csv", rows(5) + BAD)
    warehouse.drop("2026-01-06.csv", rows(2))
    loaded = warehouse.load(validate=rejecting_rows_twice)
    assert loaded["2026-01-05.csv"].refusal.startswith("reader failed: 6 records, but 5 accepted and 2 rejected")
    assert loaded["2026-01-06.csv"].refusal is None
    assert warehouse.contacts() == ["k1", "k2"]
    assert warehouse.temp_files() == []
    assert list(warehouse.load()) == ["2026-01-05.csv"]
    assert warehouse.contacts("2026-01-05.csv") == ["k1", "k2", "k3", "k4", "k5"]


def test_an_unprintable_parquet_value_rejects_only_its_row(warehouse):
    _, offsets, data = pa.array([b"k\xff", b"k1", b"k2"]).buffers()
    contacts = pa.StringArray.from_buffers(3, offsets, data)
    moments = pa.array([1767616200_000000, 2**62, 1767616200_000000], pa.timestamp("us"))
    path = warehouse.drop("2026-01-05.parquet", b"")
    pq.write_table(pa.table({"contact_id": contacts, "unsubscribed_at": moments}), path)
    (loaded,) = warehouse.load().values()
    assert (loaded.records, loaded.accepted, loaded.rejected) == (3, 1, 2)
    assert warehouse.contacts() == ["k2"]


@pytest.mark.parametrize("day", ["0000-01-01", "0000-12-31", "2026-02-30"])
def test_a_date_that_does_not_exist_rejects_only_its_row(warehouse, day):
    content = f"rate_date,currency,rate\n{day},EUR,1.1\n2026-01-01,EUR,1.1\n".encode()
    warehouse.drop("2026-01-05.csv", content, Log.EXCHANGE_RATES)
    (loaded,) = warehouse.load(log=Log.EXCHANGE_RATES).values()
    assert (loaded.records, loaded.accepted, loaded.rejected) == (2, 1, 1)


# The published quarantine


def test_the_published_quarantine_has_every_rejected_row_and_refused_file(warehouse):
    warehouse.drop("2026-01-05.csv", HEADER + b" k1 ,,\xc3\xa9\n" + row(2) + b"k3,\xff\n,yesterday,\n")
    warehouse.drop("2026-01-06.jsonl", b'{"unsubscribed_at": "2026-01-05T12:00"}\n')
    warehouse.drop("2026-01-05.csv", b"x\n", Log.CLICKS)
    warehouse.load()
    refused = list(warehouse.load(log=Log.CLICKS).values())
    write_published_quarantine(warehouse.settings, warehouse.paths, refused, mask_phone_numbers=False)
    rejected_rows = warehouse.published("from rejected_rows order by all")
    reasons = {(source_file, number): reasons for _, _, source_file, number, reasons, _ in rejected_rows}
    assert [(*row[:4], row[5]) for row in rejected_rows] == [
        ("unsubscribes", date(2026, 1, 5), "2026-01-05.csv", 1, " k1 ,,é"),
        ("unsubscribes", date(2026, 1, 5), "2026-01-05.csv", 3, "k3,\\xff"),
        ("unsubscribes", date(2026, 1, 5), "2026-01-05.csv", 4, ",yesterday,"),
        ("unsubscribes", date(2026, 1, 6), "2026-01-06.jsonl", 1, '{"unsubscribed_at": "2026-01-05T12:00"}'),
    ]
    assert reasons["2026-01-05.csv", 1] == ["unsubscribed_at: is required"]
    assert [reason.partition(":")[0] for reason in reasons["2026-01-05.csv", 3]] == ["line"]
    assert [reason.partition(":")[0] for reason in reasons["2026-01-05.csv", 4]] == ["contact_id", "unsubscribed_at"]
    ((log, log_date, source_file, reason),) = warehouse.published("from rejected_files")
    assert (log, log_date, source_file) == ("clicks", date(2026, 1, 5), "2026-01-05.csv")
    assert "click_id" in reason
    types = warehouse.published("select column_name, column_type from (describe rejected_rows)")
    assert dict(types) == {
        "log": "VARCHAR",
        "log_date": "DATE",
        "source_file": "VARCHAR",
        "row_number": "BIGINT",
        "reasons": "VARCHAR[]",
        "raw_row": "VARCHAR",
    }


def test_an_empty_quarantine_is_published(warehouse):
    write_published_quarantine(warehouse.settings, warehouse.paths, [], mask_phone_numbers=False)
    assert warehouse.published(
        "select (select count(*) from rejected_rows), (select count(*) from rejected_files)"
    ) == [(0, 0)]
    assert warehouse.temp_files() == []


def test_a_raw_row_is_truncated_at_64_kibibytes_between_characters(warehouse):
    bad_rows = [f"k,,{letter * letters}" for letter in "xé日😀" for letters in (16_000, 20_000, 70_000, 200_000)]
    warehouse.drop("2026-01-05.csv", HEADER + "\n".join(bad_rows).encode())
    warehouse.load()
    for line, (_, _, raw_row) in zip(bad_rows, warehouse.quarantine(), strict=True):
        assert line.startswith(raw_row)
        size = len(line.encode())
        assert len(raw_row.encode()) == size if size <= 65536 else 65532 < len(raw_row.encode()) <= 65536


def test_a_data_folder_may_have_any_name(tmp_path):
    warehouse = LoadFolder(tmp_path)
    warehouse.paths = DataPaths(tmp_path / "it's [a] *folder*, log=x")
    warehouse.ledger = Ledger(warehouse.paths.ledger)
    warehouse.drop("2026-01-05.csv", rows(1) + BAD)
    warehouse.load()
    write_published_quarantine(warehouse.settings, warehouse.paths, [], mask_phone_numbers=False)
    with duckdb.connect() as connection:
        path = str(warehouse.paths.published_quarantine).replace("'", "''")
        connection.execute(f"attach '{path}' as published (read_only)")
        rejected_rows = connection.execute("select log, source_file from published.rejected_rows").fetchall()
    assert rejected_rows == [("unsubscribes", "2026-01-05.csv")]


@pytest.mark.parametrize(
    "name",
    [
        "2026-01-05/it's; drop table.csv",
        '2026-01-05/a"b.csv',
        "2026-01-05/log_date=1999-01-01.csv",
        "2026-01-05.%s{}.csv",
    ],
)
def test_a_log_file_may_have_any_name(warehouse, name):
    warehouse.drop(name, rows(1) + BAD)
    assert list(warehouse.load()) == [name]
    assert warehouse.contacts(name) == ["k1"]
    write_published_quarantine(warehouse.settings, warehouse.paths, [], mask_phone_numbers=False)
    assert warehouse.published("select source_file, log_date from rejected_rows") == [(name, date(2026, 1, 5))]


def test_a_batch_takes_more_files_than_a_process_may_keep_open(warehouse):
    for number in range(300):
        warehouse.drop(f"2026-01-05/part-{number}.csv", HEADER + row(number) + BAD)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        loaded = warehouse.load()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert sum(file.accepted for file in loaded.values()) == sum(file.rejected for file in loaded.values()) == 300
