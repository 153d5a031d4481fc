"""Export for repair: rejected rows exported, fixed and dropped again, in every format; refused files; acceptances."""

import gzip
import re
import shlex
from datetime import time
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from models.enums import Log
from models.text_types import decimal
from orchestration import stages
from orchestration.cli.main import app
from orchestration.cli.output import quarantine
from orchestration.stages import AppContext, load_changed
from quality import gate
from tests.running import environment, environment_of
from warehouse.config.settings import Settings
from warehouse.lake.tables import RAW_ROW_BYTES
from warehouse.ledger import LoadedFile
from warehouse.quarantine import NotExportable, RepairFile, export_for_repair

HEADER = "campaign,ordered_at, order_id ,contact_id,total,currency,status,updated_at"
GOOD = 'x,2026-01-05T10:00:00Z,o1,"k, 1",10.50,USD,placed,2026-01-05T10:00:00Z'
BAD = "y,2026-01-05T10:00:00Z,o2,k2,1_000,USD,placed,2026-01-05T10:00:00Z"
LAST = "z,2026-01-05T11:00:00+01:00,o3,k3, 7 ,eur,cancelled,2026-01-06T10:00:00Z"
BROKEN = 'y,2026-01-05T10:00:00Z,o4,"k4,1,USD,placed,2026-01-05T10:00:00Z'
CSV = "\n".join([HEADER, GOOD, BAD, LAST, BROKEN, ""]).encode()


def json_line(order_id: str, contact_id: str, total: str, currency: str = "USD") -> str:
    return (
        f'{{"order_id": "{order_id}", "contact_id": "{contact_id}", "total": {total}, "currency": "{currency}",'
        ' "status": "placed", "ordered_at": "2026-01-05T10:00:00Z", "updated_at": "2026-01-05T10:00:00Z"}\n'
    )


JSON_LINES = (
    json_line("o1", "k, 1", "10.50")
    + json_line("o2", "k2", "1_000")
    + json_line("o3", "k3", "7", "EUR")
    + json_line("o4", "k4", "1").replace("}", "")
).encode()


class Zone:
    """A landing zone of orders and what was loaded from it."""

    def __init__(self, folder: Path) -> None:
        self.landing, self.to = folder / "landing", folder / "repair"
        self.warehouse = AppContext.of(Settings(landing=self.landing, data=folder / "data"))

    def drop(self, name: str, content: bytes) -> Path:
        path = self.landing / "orders" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def load(self) -> None:
        load_changed(self.warehouse, Log.ORDERS)

    def file(self, name: str) -> LoadedFile:
        return next(file for file in self.warehouse.ledger.files() if file.source_file == name)

    def export(self, name: str, **options: bool) -> RepairFile:
        return export_for_repair(self.warehouse.settings, self.warehouse.paths, self.file(name), self.to, **options)

    def drop_fixed(self, written: RepairFile, fix) -> None:
        """Fixes an export and drops it into the landing zone."""
        for path in written.files:
            data = path.read_bytes()
            is_gzip = path.name.endswith(".gz")
            fixed = fix(gzip.decompress(data) if is_gzip else data)
            target = self.landing / path.relative_to(self.to)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(gzip.compress(fixed) if is_gzip else fixed)
        self.load()

    def rows(self) -> list[tuple]:
        files = self.warehouse.paths.lake.glob("orders/*/*.parquet")
        frame = pl.concat([pl.read_parquet(file, hive_partitioning=False) for file in files])
        return sorted(frame.select("order_id", "contact_id", "ordered_at", "total", "currency", "status").rows())

    def in_quarantine(self) -> int:
        return sum(file.rejected for file in self.warehouse.ledger.files())

    def is_held_back(self) -> bool:
        return bool(gate.evaluate_gate(set(), [], self.warehouse.ledger.files(), 0.01, 1).blocking_problems)


@pytest.fixture
def zone(tmp_path: Path, bare_environment) -> Zone:
    return Zone(tmp_path)


def fix(data: bytes) -> bytes:
    return data.replace(b"1_000", b"1000").replace(b'"k4,1', b"k4,1").replace(b'05T10:00:00Z"\n', b'05T10:00:00Z"}\n')


def parquet(folder: Path) -> bytes:
    rows = [["o1", "k, 1", "10.5"], ["o2", "k2", "1_000"], ["o3", "k3", "7"]]
    records = [dict(zip(("order_id", "contact_id", "total"), row, strict=True)) for row in rows]
    for row in records:
        row |= {"ordered_at": "2026-01-05T10:00:00Z", "currency": "USD", "status": "placed"}
        row |= {"updated_at": "2026-01-05T10:00:00Z"}
    pq.write_table(pa.Table.from_pylist(records), folder / "made.parquet")
    return (folder / "made.parquet").read_bytes()


FORMATS = {
    "2026-01-05.csv": lambda folder: CSV,
    "2026-01-05/gw 1.csv.gz": lambda folder: gzip.compress(CSV),
    "2026-01-05.jsonl": lambda folder: JSON_LINES,
    "2026-01-05.a.jsonl.gz": lambda folder: gzip.compress(JSON_LINES),
    "2026-01-05.parquet": parquet,
}


@pytest.mark.parametrize("is_tidied", [False, True], ids=["in the landing zone", "deleted"])
@pytest.mark.parametrize("name", FORMATS)
def test_a_whole_export_that_is_fixed_and_dropped_empties_the_quarantine_of_the_file(zone, tmp_path, name, is_tidied):
    dropped = zone.drop(name, FORMATS[name](tmp_path))
    zone.load()
    before, bad = zone.rows(), zone.in_quarantine()
    assert (len(before), bad > 0) == (zone.file(name).accepted, True)
    if is_tidied:
        dropped.unlink()
    written = zone.export(name)
    assert (written.rows, written.rejected, written.left_out) == (len(before) + bad, bad, 0)
    zone.drop_fixed(written, lambda data: data)
    assert (zone.rows(), zone.in_quarantine()) == (before, bad), (
        "without a fix, nothing is admitted that was rejected before"
    )
    zone.drop_fixed(written, fix)
    assert zone.in_quarantine() == 0
    after = zone.rows()
    assert [row for row in after if row[0] in ("o1", "o3")] == before
    assert {row[0]: str(row[3]) for row in after if row not in before} in (
        {"o2": "1000.0000", "o4": "1.0000"},
        {"o2": "1000.0000"},
    )
    assert len(after) == written.rows


@pytest.mark.parametrize("name", FORMATS)
def test_a_rows_only_export_is_a_further_part_and_the_file_is_held_until_it_is_accepted(zone, tmp_path, name):
    zone.drop(name, FORMATS[name](tmp_path))
    zone.load()
    before, bad = zone.rows(), zone.in_quarantine()
    written = zone.export(name, rows_only=True)
    assert (written.rows, written.rejected, len(written.files)) == (bad, bad, 1)
    zone.drop_fixed(written, fix)
    assert len(zone.rows()) == len(before) + bad
    part = zone.file(written.files[0].name)
    assert (part.log_date, part.accepted, part.rejected) == (zone.file(name).log_date, bad, 0)
    assert (zone.in_quarantine(), zone.is_held_back()) == (bad, True), "the problems of the file itself stand"
    zone.warehouse.ledger.accept(Log.ORDERS, name, zone.file(name).sha256, "fixed in another file")
    assert not zone.is_held_back()


@pytest.mark.parametrize("rows_only", [False, True])
def test_values_that_parquet_alone_can_reject_are_not_admitted_as_json(zone, tmp_path, rows_only):
    unknown = [2.0**53, float("nan"), float("inf")]
    columns = {
        "order_id": pa.array([1.0, *unknown, 2.0], pa.float64()),
        "contact_id": pa.array([time(10), *[None] * 3, time(11)], pa.time64("us")),
        "total": pa.array([0.1] * 5, pa.float32()),
        "currency": ["USD"] * 5,
        "status": ["placed"] * 5,
        "ordered_at": ["2026-01-05T10:00:00Z"] * 5,
        "updated_at": ["2026-01-05T10:00:00Z"] * 5,
    }
    pq.write_table(pa.table(columns), tmp_path / "made.parquet")
    zone.drop("2026-01-05.parquet", (tmp_path / "made.parquet").read_bytes())
    zone.load()
    assert (zone.file("2026-01-05.parquet").accepted, zone.in_quarantine()) == (0, 5)
    written = zone.export("2026-01-05.parquet", rows_only=rows_only)
    zone.drop_fixed(written, lambda data: data)
    part = zone.file(written.files[0].name)
    assert (part.accepted, part.rejected) == (0, 5)
    fixed = re.sub(rb"\[[^]]*\]|null", b'"k1"', written.files[0].read_bytes())
    zone.drop_fixed(written, lambda data: fixed if data else data)
    assert [(row[0], str(row[3])) for row in zone.rows()] == [
        ("1", "0.1000"), ("2", "0.1000"), ("k1", "0.1000"), ("k1", "0.1000"), ("k1", "0.1000"),
    ]  # fmt: skip


@pytest.mark.parametrize("rows_only", [False, True])
def test_bytes_that_were_not_utf_8_are_restored_and_never_admitted_as_text(zone, rows_only):
    latin = GOOD.replace("k, 1", "Andr\u00e9").replace("o1", "o9").encode("latin-1")
    zone.drop("2026-01-05.csv", CSV + latin + b"\n")
    zone.load()
    (zone.landing / "orders" / "2026-01-05.csv").unlink()
    before = zone.rows()
    written = zone.export("2026-01-05.csv", rows_only=rows_only)
    assert latin in written.files[0].read_bytes().splitlines()
    zone.drop_fixed(written, lambda data: data)
    assert zone.rows() == before


def test_a_row_that_the_quarantine_holds_in_part_is_never_exported(zone):
    long = BAD.replace("y,", "y" * RAW_ROW_BYTES + ",", 1)
    zone.drop("2026-01-05.csv", "\n".join([HEADER, GOOD, BAD, long, ""]).encode())
    zone.load()
    (zone.landing / "orders" / "2026-01-05.csv").unlink()
    with pytest.raises(NotExportable, match="does not hold 1 rows in full"):
        zone.export("2026-01-05.csv")
    written = zone.export("2026-01-05.csv", rows_only=True)
    assert (written.rows, written.left_out) == (1, 1)
    assert written.files[0].read_text().splitlines() == [HEADER.replace(" order_id ", "order_id"), BAD]


def test_an_erased_row_is_in_no_export(zone):
    zone.drop("2026-01-05.csv", CSV)
    zone.load()
    stages.erase_contact(zone.warehouse, "k2", "request 7")
    (zone.landing / "orders" / "2026-01-05.csv").unlink()
    with pytest.raises(NotExportable, match="were erased"):
        zone.export("2026-01-05.csv")
    written = zone.export("2026-01-05.csv", rows_only=True)
    assert (written.rows, written.left_out) == (1, 1)
    assert written.files[0].read_text().splitlines() == [HEADER.replace(" order_id ", "order_id"), BROKEN]


def test_an_export_never_replaces_an_existing_one_and_leaves_no_temporary_file(zone):
    zone.drop("2026-01-05.csv", CSV)
    zone.load()
    zone.export("2026-01-05.csv").files[0].write_text("fixed")
    with pytest.raises(FileExistsError):
        zone.export("2026-01-05.csv")
    assert [path.read_text() for path in zone.to.rglob("*") if path.is_file()] == ["fixed"]


def test_a_file_name_with_a_number_is_printed_masked_and_accepted_as_printed(zone, tmp_path):
    zone.drop("2026-01-05/+447700900123; `touch x`.csv", CSV)
    zone.load()
    variables = environment_of(tmp_path / "data", zone.landing)
    arguments = (
        "quarantine",
        "export",
        "orders",
        "2026-01-05/+44…23; `touch x`.csv",
        "--to",
        str(zone.to),
        "--rows-only",
    )
    with environment(variables):
        exported, again = (CliRunner().invoke(app, arguments) for _ in range(2))
        erased = CliRunner().invoke(app, ["erase", "--contact", "k2"])
    assert (exported.exit_code, again.exit_code) == (0, 1), exported.stderr
    assert "already exists" in again.stderr
    assert "  orders/2026-01-05/+44…23; `touch x`.csv" in erased.stdout.splitlines()
    assert "+447700900123" not in exported.stdout + again.stderr + erased.stdout
    line = next(line for line in exported.stdout.splitlines() if "sendmart accept" in line)
    command = shlex.split(line[line.index("sendmart accept") : line.index("; sendmart refresh")])
    assert command[:3] == ["sendmart", "accept", "orders/2026-01-05/+44…23; `touch x`.csv"]


def test_a_refused_file_is_loaded_once_it_is_fixed(zone):
    whole = gzip.compress(CSV)
    zone.drop("2026-01-05.csv.gz", whole[:-9])
    zone.load()
    assert "gzip" in zone.file("2026-01-05.csv.gz").refusal
    assert zone.is_held_back()
    with pytest.raises(NotExportable, match="was refused"):
        zone.export("2026-01-05.csv.gz")
    zone.drop("2026-01-05.csv.gz", gzip.compress(fix(CSV)))
    zone.load()
    assert (zone.file("2026-01-05.csv.gz").refusal, len(zone.rows()), zone.is_held_back()) == (None, 4, False)


def test_an_acceptance_is_for_one_content_of_a_file_and_has_its_reason(zone):
    ledger = zone.warehouse.ledger
    for name in ("2026-01-05.csv", "2026-01-06.csv"):
        zone.drop(name, CSV)
    zone.load()
    ledger.accept(Log.ORDERS, "2026-01-05.csv", zone.file("2026-01-05.csv").sha256, "a test of\nthe shop")
    assert [file.is_accepted for file in ledger.files()] == [True, False], (
        "the same content elsewhere is another matter"
    )
    (acceptance,) = ledger.acceptances()
    assert (acceptance.log, acceptance.source_file, acceptance.reason, acceptance.is_in_force) == (
        Log.ORDERS, "2026-01-05.csv", "a test of\nthe shop", True,
    )  # fmt: skip
    zone.drop("2026-01-05.csv", CSV + BAD.encode() + b"\n")
    zone.load()
    assert [file.is_accepted for file in ledger.files()] == [False, False], "other content is judged anew"
    lines = quarantine.status_lines(zone.warehouse, ledger.files())
    assert lines[:2] == [
        "quarantine: orders/2026-01-05.csv: 3 of 5 rows (60 %)",
        f"  2 with total: {decimal(18, 4).rule} (first in row 2)",
    ]
    assert "a test of the shop (no longer in force: the file has changed)" in lines[-1]
    zone.drop("2026-01-05.csv", CSV)
    zone.load()
    assert [file.is_accepted for file in ledger.files()] == [True, False], "the content that was accepted has come back"
