"""Snapshots of the lake: before or after every load, without a lock; and which log files were replaced since a day."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from models.enums import Log
from orchestration import stages
from orchestration.stages import AppContext
from tests.loads import load_log
from warehouse.config.paths import DataPaths
from warehouse.config.settings import Settings
from warehouse.lake import change_feed
from warehouse.lake import tables as lake_tables
from warehouse.lake.integrity import LakeDamaged
from warehouse.lake.snapshot import ErasureUnfinished, Snapshot, take_snapshot
from warehouse.ledger import UNKNOWN_SHA256, Ledger, LoadedFile
from warehouse.storage import FileStat
from warehouse.transform.snapshot_build import _snapshot_folder

HEADER = "click_id,campaign_id,contact_id,clicked_at\n"
FIRST, SECOND = date(2026, 1, 5), date(2026, 1, 6)


class Warehouse:
    """A data folder with a landing zone of clicks, one file a day."""

    def __init__(self, folder: Path) -> None:
        self.landing, self.data = folder / "landing", folder / "data"
        self.paths = DataPaths(self.data)
        self.ledger = Ledger(self.paths.ledger)
        self.snapshots = folder / "snapshots"

    def load(self, log_date: date, *clicks: str) -> None:
        file = self.landing / "clicks" / f"{log_date}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = "".join(f"{click},spring,k1,{log_date}T10:00:00Z\n" for click in clicks)
        file.write_text(HEADER + rows, encoding="utf-8")
        load_log(self.landing, self.data, Log.CLICKS, 1)

    def file(self, log_date: date) -> LoadedFile:
        return next(file for file in self.ledger.files() if file.log_date == log_date)

    def lake_file(self, log_date: date) -> Path:
        return lake_tables.path_of(self.paths.lake, self.file(log_date))

    def snapshot(self, until: date | None = None, ledger: Ledger | None = None) -> Snapshot:
        lake = self.snapshots / str(len(list(self.snapshots.glob("*")))) / "lake"
        lake.mkdir(parents=True)
        return take_snapshot(self.paths, ledger or self.ledger, lake, until=until)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    warehouse = Warehouse(tmp_path)
    warehouse.load(FIRST, "c1", "c2")
    warehouse.load(SECOND, "c3")
    return warehouse


def clicks_in(snapshot: Snapshot) -> list[str]:
    files = sorted((snapshot.lake / "clicks").glob("*/*.parquet"))
    return sorted(click for file in files for click in pl.read_parquet(file.read_bytes())["click_id"])


def test_a_snapshot_has_hard_links_to_the_files_of_the_dates_and_every_column(warehouse: Warehouse) -> None:
    snapshot = warehouse.snapshot(until=FIRST)
    assert (clicks_in(snapshot), snapshot.data_until, len(snapshot.files)) == (["c1", "c2"], FIRST, 1)
    linked = snapshot.lake / warehouse.lake_file(FIRST).relative_to(warehouse.paths.lake)
    assert linked.samefile(warehouse.lake_file(FIRST))
    assert all(lake_tables.empty_file(snapshot.lake, log).exists() for log in Log)
    everything = warehouse.snapshot()
    assert (clicks_in(everything), everything.data_until) == (["c1", "c2", "c3"], SECOND)


def test_a_snapshot_keeps_its_rows_when_a_file_is_replaced(warehouse: Warehouse) -> None:
    snapshot = warehouse.snapshot()
    warehouse.load(FIRST, "c9")
    assert clicks_in(snapshot) == ["c1", "c2", "c3"]
    assert clicks_in(warehouse.snapshot()) == ["c3", "c9"]


def test_files_that_a_load_replaces_or_adds_meanwhile_are_linked_again(warehouse: Warehouse) -> None:
    class InterruptedLedger(Ledger):
        """A ledger after whose first two readings a load ends."""

        readings = 0

        def checksums(self) -> dict:
            before = super().checksums()
            self.readings += 1
            if self.readings == 1:
                warehouse.load(FIRST, "c8")
            elif self.readings == 2:
                warehouse.load(FIRST)  # without rows: the file of the lake is removed
                warehouse.load(date(2026, 1, 7), "c4")
            return before

    ledger = InterruptedLedger(warehouse.paths.ledger)
    snapshot = warehouse.snapshot(ledger=ledger)
    assert (clicks_in(snapshot), ledger.readings) == (["c3", "c4"], 4)


@pytest.mark.parametrize("has_moved", [False, True])
def test_a_file_whose_load_was_killed_has_the_rows_of_its_previous_version(
    warehouse: Warehouse, has_moved: bool
) -> None:
    file = warehouse.file(FIRST)
    change_feed.record(warehouse.paths, warehouse.ledger, [file])
    if has_moved:
        warehouse.lake_file(FIRST).unlink()
    assert clicks_in(warehouse.snapshot()) == ["c1", "c2", "c3"]
    warehouse.load(FIRST, "c9")
    assert clicks_in(warehouse.snapshot()) == ["c3", "c9"]


def test_a_missing_and_a_damaged_file_are_errors(warehouse: Warehouse) -> None:
    lake_file = warehouse.lake_file(FIRST)
    content = lake_file.read_bytes()
    lake_file.write_bytes(content[:100] + b"x" + content[101:])
    with pytest.raises(LakeDamaged, match=r"of clicks/2026-01-05\.csv, .* another size or SHA-256"):
        warehouse.snapshot()
    lake_file.unlink()
    with pytest.raises(LakeDamaged, match=r"of clicks/2026-01-05\.csv, .* is missing"):
        warehouse.snapshot()
    warehouse.lake_file(SECOND).unlink()
    lake_file.write_bytes(content)
    assert clicks_in(warehouse.snapshot(until=FIRST)) == ["c1", "c2"], "files of later dates are not read"


def test_a_contact_that_is_being_erased_is_in_no_snapshot(warehouse: Warehouse) -> None:
    snapshot = warehouse.snapshot()
    snapshot.check_erasures(warehouse.ledger)
    warehouse.ledger.record_erasure("", "hash of k1", "erased-1")
    with pytest.raises(ErasureUnfinished, match="not finished"):
        warehouse.snapshot()
    with pytest.raises(ErasureUnfinished, match="meanwhile"):
        snapshot.check_erasures(warehouse.ledger)
    warehouse.ledger.record_erasures_finished()
    with pytest.raises(ErasureUnfinished, match="meanwhile"):
        snapshot.check_erasures(warehouse.ledger)
    warehouse.snapshot().check_erasures(warehouse.ledger)


def test_only_a_file_with_another_content_is_a_replaced_one(warehouse: Warehouse) -> None:
    ledger = warehouse.ledger
    assert ledger.replacements(SECOND) == []
    warehouse.load(SECOND, "c3")
    change_feed.record(warehouse.paths, ledger, [warehouse.file(SECOND)])
    load_log(warehouse.landing, warehouse.data, Log.CLICKS, 1)
    assert ledger.replacements(SECOND) == [], "the same content was loaded again"
    warehouse.load(FIRST, "c9")
    (replaced,) = ledger.replacements(SECOND)
    assert (replaced.log, replaced.source_file, replaced.log_date) == (Log.CLICKS, "2026-01-05.csv", FIRST)
    assert replaced.replaced_at == warehouse.file(FIRST).loaded_at
    assert ledger.replacements(FIRST - timedelta(days=1)) == [], "the file is of a later date"
    assert ledger.replacements(datetime.now(UTC).date()) == [], "a refresh of that day had its last content"
    change_feed.record(warehouse.paths, ledger, [warehouse.file(FIRST)])
    load_log(warehouse.landing, warehouse.data, Log.CLICKS, 1)
    assert ledger.replacements(SECOND) == [replaced], "loaded again, not replaced again"


def test_a_load_that_recovery_recorded_replaces_nothing(warehouse: Warehouse) -> None:
    change_feed.record(warehouse.paths, warehouse.ledger, [warehouse.file(FIRST)])
    recovered = LoadedFile(Log.CLICKS, "2026-01-05.csv", FIRST, UNKNOWN_SHA256, None, 2, 2, 0)
    warehouse.ledger.record_files([(recovered, FileStat(0, 0, 0, 0, 0))])
    assert warehouse.ledger.replacements(SECOND) == []


def test_a_folder_that_another_process_uses_stays_and_one_that_a_killed_process_left_is_deleted(tmp_path: Path) -> None:
    with _snapshot_folder(tmp_path) as in_use:
        left = tmp_path / "left"
        (left / "lake").mkdir(parents=True)
        with _snapshot_folder(tmp_path):
            assert (in_use.exists(), left.exists()) == (True, False)
    assert [file.name for file in tmp_path.iterdir()] == [".lock"]


def test_pruning_deletes_the_snapshots_that_killed_commands_left(warehouse: Warehouse) -> None:
    context = AppContext.of(Settings(data=warehouse.data, landing=warehouse.landing))
    stages.prune_exports(context)
    snapshots = context.settings.scratch / "snapshots"
    with _snapshot_folder(snapshots) as in_use:
        left = snapshots / "left"
        (left / "lake").mkdir(parents=True)
        stages.prune_exports(context)
        assert (in_use.exists(), left.exists()) == (True, False)
