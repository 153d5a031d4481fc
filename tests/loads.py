"""Loads by several processes, for tests: validators that can be sent to workers, and the result of a load.

A validator that is defined in a test could not be pickled: these are functions of a module with bound arguments.

Not here: the tests (`tests/pipeline/test_load_workers.py`, `tests/fault/test_workers_killed.py`).
"""

import os
import signal
import sqlite3
import time
from collections.abc import Iterable
from functools import partial
from itertools import count
from pathlib import Path
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

BYTES_PER_TEST_WORKER = 80_000
"""Bytes per worker in these tests: two small files."""

THREE_FILES_A_TASK = {"bytes_per_worker": 400_000, "batch_rows": 1}
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
    bytes_per_worker: int = BYTES_PER_TEST_WORKER,
    batch_rows: int = ROWS_PER_BATCH,
) -> list[LoadedFile]:
    paths = DataPaths(data)
    ledger = Ledger(paths.ledger)
    job = StagingJob(paths, validate, batch_rows=batch_rows)
    return load(job, ledger, files, workers=workers, bytes_per_worker=bytes_per_worker)


def left_by(data: Path) -> dict[str, Any]:
    """The content of a data folder after loads, without times and ids."""
    from tests.fault.zones import contents_of  # imports many modules, and workers import this one

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


def recording(folder: Path, processes: int = 2) -> Validator:
    """A validator that records its process, and continues when this many processes have called it."""
    return partial(_recording, folder, processes)


_batches = count()
"""In a worker, the batches that were validated."""


def waiting(folder: Path) -> Validator:
    """A validator that validates one batch, then records its process and blocks."""
    return partial(_waiting, folder)


def recorded_processes(folder: Path) -> set[int]:
    """The processes that have called the validator."""
    return {int(file.name) for file in folder.glob("*")}


def wait_for(folder: Path, processes: int) -> set[int]:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while len(recorded_processes(folder)) < processes:
        assert time.monotonic() < give_up_at, f"only {recorded_processes(folder)} called the validator"
        time.sleep(0.02)
    return recorded_processes(folder)


def _recording(folder: Path, processes: int, log: Log, text: pl.DataFrame, faults: Any) -> ValidationResult:
    (folder / str(os.getpid())).touch()
    wait_for(folder, processes)
    return validate(log, text, faults)


def _waiting(folder: Path, log: Log, text: pl.DataFrame, faults: Any) -> ValidationResult:
    if next(_batches) == 0:
        return validate(log, text, faults)
    (folder / str(os.getpid())).touch()
    time.sleep(PATIENCE_SECONDS)
    raise AssertionError("nobody ended this process")


def killed_at(contact_id: str) -> Validator:
    """A validator whose process is killed at a row of this contact."""
    return partial(_killed_at, contact_id)


def _killed_at(contact_id: str, log: Log, text: pl.DataFrame, faults: Any) -> ValidationResult:
    if contact_id in text["contact_id"]:
        os.kill(os.getpid(), signal.SIGKILL)
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
