"""Loads by several workers, for tests: validators, and the result of a load.

Not here: the tests (`tests/pipeline/test_load_workers.py`, `tests/fault/test_workers_killed.py`).
"""

import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from threading import get_ident
from typing import Any

import polars as pl

from models.enums import Log
from models.rejections import ValidationResult
from quality.admission import validate
from warehouse.config.paths import DataPaths
from warehouse.ingest.load import load
from warehouse.ingest.staging import ROWS_PER_BATCH, StagingJob, Validator
from warehouse.landing.scan import LandingFile, scan
from warehouse.ledger import Ledger, LoadedFile

BYTES_PER_TEST_TASK = 20_000
"""Each file is a task."""

THREE_FILES_A_TASK = {"bytes_per_task": 100_000, "batch_rows": 1}
"""Each file is a batch: a worker that reads its second file has staged the first."""

PATIENCE_SECONDS = 120


def load_log(
    landing: Path, data: Path, log: Log, workers: int, validate: Validator = validate, **options: int
) -> list[LoadedFile]:
    """Loads the pending files of a log."""
    return load_files(
        data, Ledger(DataPaths(data).ledger).pending_files(scan(landing).files_of(log)), workers, validate, **options
    )


def load_files(
    data: Path,
    files: Iterable[LandingFile],
    workers: int,
    validate: Validator = validate,
    bytes_per_task: int = BYTES_PER_TEST_TASK,
    batch_rows: int = ROWS_PER_BATCH,
) -> list[LoadedFile]:
    paths = DataPaths(data)
    ledger = Ledger(paths.ledger)
    job = StagingJob(paths, validate, batch_rows=batch_rows)
    return load(job, ledger, files, workers=workers, bytes_per_task=bytes_per_task)


def left_by(data: Path) -> dict[str, Any]:
    """The content of a data folder after loads, without times and ids."""
    from tests.fault.zones import contents_of  # it imports many modules

    paths = DataPaths(data)
    return {
        "lake": contents_of(paths.lake),
        "quarantine": contents_of(paths.quarantine),
        "temp_files": sorted(file.name for file in data.rglob("*.tmp")),
        **{
            table: _rows(paths.ledger, table)
            for table in ("files", "lake_contents", "changes", "erasures", "erased", "acceptances")
        },
    }


_MOMENTS = {"loaded_at", "noted_ns", "noted_at", "change_id", "started_at", "finished_at"}


def _rows(ledger: Path, table: str) -> list[str]:
    with sqlite3.connect(ledger) as connection:
        connection.row_factory = sqlite3.Row
        rows = [dict(row) for row in connection.execute(f"select * from {table}")]
    return sorted(repr({name: value for name, value in row.items() if name not in _MOMENTS}) for row in rows)


# --- validators


def recording(folder: Path, threads: int = 2) -> Validator:
    """A validator that records its thread, and continues when this many threads have called it."""
    return partial(_recording, folder, threads)


_batches = defaultdict[int, int](int)
"""By thread, the batches that were validated."""


def waiting(folder: Path, go_on: Path) -> Validator:
    """A validator that validates a batch of each thread, then records the thread and waits until a file is there."""
    return partial(_waiting, folder, go_on)


def recorded_threads(folder: Path) -> set[int]:
    """The threads that have called the validator."""
    return {int(file.name) for file in folder.glob("*")}


def wait_for(folder: Path, threads: int) -> set[int]:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while len(recorded_threads(folder)) < threads:
        assert time.monotonic() < give_up_at, f"only {recorded_threads(folder)} called the validator"
        time.sleep(0.02)
    return recorded_threads(folder)


def _recording(folder: Path, threads: int, log: Log, text: pl.DataFrame, faults: Any) -> ValidationResult:
    (folder / str(get_ident())).touch()
    wait_for(folder, threads)
    return validate(log, text, faults)


def _waiting(folder: Path, go_on: Path, log: Log, text: pl.DataFrame, faults: Any) -> ValidationResult:
    _batches[get_ident()] += 1
    if _batches[get_ident()] > 1:
        (folder / str(get_ident())).touch()
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while not go_on.exists():
            assert time.monotonic() < give_up_at
            time.sleep(0.02)
    return validate(log, text, faults)


def failing_at(contact_id: str, error: Exception) -> Validator:
    """A validator that fails at a row of this contact."""
    return partial(_failing_at, contact_id, error)


def _failing_at(contact_id: str, error: Exception, log: Log, text: pl.DataFrame, faults: Any) -> ValidationResult:
    if contact_id in text["contact_id"]:
        raise error
    return validate(log, text, faults)


def changing_files(changes: dict[str, tuple[Path, bytes | None]]) -> Validator:
    """A validator that replaces or deletes a file at a row of a contact."""
    return partial(_changing_files, changes)


def _changing_files(
    changes: dict[str, tuple[Path, bytes | None]], log: Log, text: pl.DataFrame, faults: Any
) -> ValidationResult:
    for contact_id in set(text["contact_id"]) & changes.keys():
        file, content = changes[contact_id]
        if content is None:
            file.unlink()
        else:
            file.write_bytes(content)
    return validate(log, text, faults)


def rejecting_twice(contact_id: str) -> Validator:
    """A validator that reports rejected rows twice at a row of this contact."""
    return partial(_rejecting_twice, contact_id)


def _rejecting_twice(contact_id: str, log: Log, text: pl.DataFrame, faults: Any) -> ValidationResult:
    validated = validate(log, text, faults)
    times = 2 if contact_id in text["contact_id"] else 1
    return ValidationResult(validated.rows, pl.concat([validated.reasons] * times))
