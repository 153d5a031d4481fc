"""Load workers: a load by several gives the same files, records and errors as a load by one.

Not here: killed and interrupted loads (`tests/fault/test_workers_killed.py`).
"""

import traceback
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from threading import get_ident

import polars as pl
import pytest

from models.enums import Log
from tests.loads import (
    BYTES_PER_TEST_TASK,
    changing_files,
    failing_at,
    left_by,
    load_files,
    load_log,
    recorded_threads,
    recording,
    rejecting_twice,
)
from tests.oracle.landing_zones import write_landing_zone
from warehouse.config.paths import DataPaths
from warehouse.config.settings import Settings
from warehouse.ingest import load as loading
from warehouse.ingest import workers
from warehouse.ingest.load import load
from warehouse.ingest.staging import StagedBatch, StagingJob
from warehouse.lake import tables as lake_tables
from warehouse.landing.scan import LandingFile, scan
from warehouse.ledger import Ledger
from warehouse.privacy import contact_token, load_erasure_index, load_keyed_hash

LOG = Log.UNSUBSCRIBES
DAYS = range(1, 13)
NUMBER = "+447700900123"


def content(day: int, contact: str | None = None, number: str = "") -> bytes:
    moments = [f"2026-01-{day:02}T12:{minute:02}" for minute in range(3)]
    rows = [f"{contact or f'k{day}'},{moment},{number},\n" for moment in moments]
    return "".join(["contact_id,unsubscribed_at,mobile_number,source\n", *rows, "k,yesterday,,\n"]).encode()


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """Twelve files of a log, one per day, each with three rows of the contact `k<day>` and one bad row."""
    for day in DAYS:
        drop(tmp_path / "landing", day, content(day))
    return tmp_path / "landing"


def drop(landing: Path, day: int, content: bytes) -> None:
    log_file(landing, day).parent.mkdir(parents=True, exist_ok=True)
    log_file(landing, day).write_bytes(content)


def log_file(landing: Path, day: int) -> Path:
    return landing / LOG / f"2026-01-{day:02}.csv"


# --- the same results


def test_two_workers_load_a_faulty_landing_zone_like_one(tmp_path: Path) -> None:
    write_landing_zone(tmp_path / "landing", 11, stories=40, refused=True, fault_share=0.3)
    left = []
    for worker_count in (1, 2):
        data = tmp_path / f"data-{worker_count}"
        for log, bytes_per_task in (
            (Log.SENDS, BYTES_PER_TEST_TASK),
            (Log.ORDERS, 4 * BYTES_PER_TEST_TASK),
        ):  # each file by itself; some together
            (folder := tmp_path / f"{log}-{worker_count}").mkdir()
            load_log(
                tmp_path / "landing",
                data,
                log,
                worker_count,
                recording(folder, worker_count),
                bytes_per_task=bytes_per_task,
            )
            assert len(recorded_threads(folder)) == worker_count
        left.append(left_by(data))
    by_one, by_two_workers = left
    assert [part for part in by_one if by_one[part] != by_two_workers[part]] == []
    assert all(by_one[part] for part in ("lake", "quarantine", "files", "lake_contents", "changes"))
    assert any("refusal': None" not in file for file in by_one["files"])
    assert by_one["temp_files"] == []


def test_two_workers_run_in_parallel_and_no_more_for_few_files(tmp_path: Path, landing: Path) -> None:
    (folder := tmp_path / "threads").mkdir()
    worth = len(DAYS) // 2 * workers.BYTES_PER_FILE  # two tasks
    # Each waits in its first batch for the other, so the load ends only if both run at the same time.
    assert len(load_log(landing, tmp_path / "data", LOG, 5, recording(folder, 2), bytes_per_task=worth)) == len(DAYS)
    assert len(recorded_threads(folder)) == 2
    assert get_ident() not in recorded_threads(folder)


@pytest.mark.parametrize("worker_count", [1, 2])
def test_files_that_change_or_disappear_during_the_load_keep_their_rows(
    tmp_path: Path, landing: Path, worker_count: int
) -> None:
    data = tmp_path / "data"
    load_log(landing, data, LOG, 1)
    before = left_by(data)
    for day in DAYS:
        drop(landing, day, content(day, number=NUMBER))
    files = scan(landing).files_of(LOG)
    log_file(landing, 1).unlink()
    changing = changing_files({"k2": (log_file(landing, 2), content(2)), "k3": (log_file(landing, 3), None)})
    loaded = load_files(data, files, worker_count, changing)
    assert sorted(file.log_date.day for file in loaded) == list(DAYS[3:])
    after = left_by(data)
    same = {name.split("/")[1] for name in before["lake"] if before["lake"][name] == after["lake"][name]}
    assert same == {"log_date=2026-01-01", "log_date=2026-01-02", "log_date=2026-01-03"}
    assert after["temp_files"] == []


def test_an_erased_contact_gets_the_same_token_in_every_worker(tmp_path: Path, landing: Path) -> None:
    settings = Settings(data=tmp_path / "data", landing=landing)
    paths = DataPaths(settings.data)
    ledger = Ledger(paths.ledger)
    hashes = load_keyed_hash(paths, ledger)
    ledger.record_erasure("", hashes.of("erased"), contact_token())
    ledger.record_erasures_finished()
    for day in DAYS:
        drop(landing, day, content(day, "erased", NUMBER))
    (folder := tmp_path / "threads").mkdir()
    erased = load_erasure_index(paths, ledger)
    job = StagingJob(paths, recording(folder, 2), erased)
    load(job, ledger, scan(landing).files_of(LOG), workers=2, bytes_per_task=BYTES_PER_TEST_TASK)
    assert len(recorded_threads(folder)) == 2
    lake_rows = pl.concat(pl.read_parquet(file, hive_partitioning=False) for file in lake_tables.files(paths.lake, LOG))
    contact, number = (tombstone.token for tombstone in ledger.erased())
    assert (set(lake_rows["contact_id"]), set(lake_rows["mobile_number"])) == ({contact}, {number})
    assert ledger.erased()[1].hash == hashes.of(NUMBER)
    assert ledger.is_erasing(), "the number may stand elsewhere"


def test_two_loads_never_share_a_temporary_file(tmp_path: Path, landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[StagedBatch] = []

    def killed(job: StagingJob, files: list[LandingFile], *_: int) -> Iterator[StagedBatch]:
        written.extend(job.stage(files))
        yield from ()

    data = tmp_path / "data"
    with monkeypatch.context() as patched:
        patched.setattr(loading, "stage_files", killed)
        load_log(landing, data, LOG, 1)
    load_log(landing, data, LOG, 1)
    assert len(left_by(data)["files"]) == len(DAYS)
    assert all(staged.accepted.temp_path.exists() for batch in written for staged in batch.files)


# --- errors


@pytest.mark.parametrize("worker_count", [1, 2])
def test_a_file_whose_rows_do_not_add_up_is_refused_and_the_others_load(
    tmp_path: Path, landing: Path, worker_count: int
) -> None:
    data = tmp_path / "data"
    loaded = load_log(landing, data, LOG, worker_count, rejecting_twice("k12"), batch_rows=1)
    refusals = {file.source_file: file.refusal for file in loaded if file.refusal}
    assert refusals.keys() == {file.source_file for file in loaded if file.source_file.startswith("2026-01-12")}
    assert all(refusal.startswith("reader failed: 4 records") for refusal in refusals.values())
    left = left_by(data)
    assert not any("2026-01-12" in name for name in left["lake"])
    assert left["temp_files"] == []
    assert len(left["lake"]) == len(DAYS) - len(refusals)
    assert [file.source_file for file in load_log(landing, data, LOG, 1)] == list(refusals)


def test_an_error_of_a_worker_is_raised_masked_with_its_traceback(tmp_path: Path, landing: Path) -> None:
    data = tmp_path / "data"
    with pytest.raises(OSError) as caught:
        load_log(landing, data, LOG, 2, failing_at("k7", OSError(f"cannot take {NUMBER}")))
    message = "".join(traceback.format_exception(caught.value))
    assert str(caught.value) == "cannot take +44…23"
    assert "_failing_at" in message, "where it failed"
    assert NUMBER not in message
    assert left_by(data)["temp_files"] == []


# --- tasks


def files_of(sizes: list[int]) -> list[LandingFile]:
    return [LandingFile(LOG, date(2026, 1, 1), str(size), Path(str(size))) for size in sizes]


def test_large_files_are_tasks_of_their_own_and_small_ones_share_a_task() -> None:
    sizes = [1, 2, 50, 3, 5, 90, 4, 1]
    tasks = workers._tasks(files_of(sizes), sizes, 10)
    assert [[int(file.source_file) for file in task] for task in tasks] == [[90], [50], [1, 2, 3, 5], [4, 1]]


def test_a_compressed_file_counts_as_more_work_per_byte(tmp_path: Path) -> None:
    sizes = []
    for name in ("2026-01-01.csv", "2026-01-01.csv.gz", "2026-01-01.parquet", "2026-01-01.jsonl"):
        (tmp_path / name).write_bytes(bytes(1000))
        sizes.append(workers._size(LandingFile(LOG, date(2026, 1, 1), name, tmp_path / name)) - workers.BYTES_PER_FILE)
    assert sizes == [200, 1000, 1000, 200]


@pytest.mark.parametrize(("worker_count", "worth", "files"), [(1, 1, 12), (2, 10**9, 12), (2, 1, 1)])
def test_no_worker_starts_for_one_worker_few_bytes_or_one_file(
    tmp_path: Path, landing: Path, worker_count: int, worth: int, files: int
) -> None:
    (folder := tmp_path / "threads").mkdir()
    for day in DAYS[files:]:
        log_file(landing, day).unlink()
    load_log(landing, tmp_path / "data", LOG, worker_count, recording(folder, 1), bytes_per_task=worth)
    assert recorded_threads(folder) == {get_ident()}
