"""Loads by several processes, for tests: judges that can be sent to them, and all that a load leaves.

A judge that a test makes up would not get there: these are functions of a module, with what they need put in.

Not here: what must be true (`tests/unit/test_workers.py`, `tests/fault/test_workers_killed.py`).
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
from quality.admission import ValidationResult, validate
from warehouse.config.paths import DataPaths
from warehouse.ingest.load import load
from warehouse.ingest.staging import ROWS_PER_BATCH, StagingJob, Validator
from warehouse.landing.scan import LandingFile, scan
from warehouse.ledger import Ledger, LoadedFile

LITTLE = 80_000
"""So many bytes are worth a loader in these tests: two small files."""

THREE_FILES_A_TASK = {"bytes_per_worker": 400_000, "batch_rows": 1}
"""And each of them a batch: a loader that comes to its second has written the first aside."""

PATIENCE_SECONDS = 120


def load_log(
    landing: Path, data: Path, log: Log, workers: int, validate: Validator = validate, **options: int
) -> list[LoadedFile]:
    """Loads what is new of a log."""
    return load_files(
        data, Ledger(DataPaths(data).ledger).pending_files(scan(landing).files_of(log)), workers, validate, **options
    )


def load_files(
    data: Path,
    files: Iterable[LandingFile],
    workers: int,
    validate: Validator = validate,
    bytes_per_worker: int = LITTLE,
    batch_rows: int = ROWS_PER_BATCH,
) -> list[LoadedFile]:
    paths = DataPaths(data)
    ledger = Ledger(paths.ledger)
    job = StagingJob(paths, validate, batch_rows=batch_rows)
    return load(job, ledger, files, workers=workers, bytes_per_worker=bytes_per_worker)


def left_by(data: Path) -> dict[str, Any]:
    """Everything that loads left in a data folder, but the moments at which they did, and their order."""
    from tests.fault.zones import contents_of  # imports much, and loaders import this module

    paths = DataPaths(data)
    return {
        "lake": contents_of(paths.lake),
        "quarantine": contents_of(paths.quarantine),
        "aside": sorted(file.name for file in data.rglob("*.tmp")),
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


# --- judges


def meeting(folder: Path, several: int = 2) -> Validator:
    """A judge that says who judges, and goes on when so many processes have come to it."""
    return partial(_meeting, folder, several)


_batches = count()
"""In a loader, those that came to be judged."""


def waiting(folder: Path) -> Validator:
    """A judge that says who judges, once it has judged something, and then never comes to an end."""
    return partial(_waiting, folder)


def met(folder: Path) -> set[int]:
    """The processes that have come to judge."""
    return {int(file.name) for file in folder.glob("*")}


def wait_for(folder: Path, several: int) -> set[int]:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while len(met(folder)) < several:
        assert time.monotonic() < give_up_at, f"only {met(folder)} came to judge"
        time.sleep(0.02)
    return met(folder)


def _meeting(folder: Path, several: int, log: Log, text: pl.DataFrame, faults: Any) -> ValidationResult:
    (folder / str(os.getpid())).touch()
    wait_for(folder, several)
    return validate(log, text, faults)


def _waiting(folder: Path, log: Log, text: pl.DataFrame, faults: Any) -> ValidationResult:
    if next(_batches) == 0:
        return validate(log, text, faults)
    (folder / str(os.getpid())).touch()
    time.sleep(PATIENCE_SECONDS)
    raise AssertionError("nobody ended this process")


def dying_of(contact_id: str) -> Validator:
    """A judge whose process is killed when a row of this contact comes."""
    return partial(_dying_of, contact_id)


def _dying_of(contact_id: str, log: Log, text: pl.DataFrame, faults: Any) -> ValidationResult:
    if contact_id in text["contact_id"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return validate(log, text, faults)


def failing_of(contact_id: str, error: Exception) -> Validator:
    """A judge that fails when a row of this contact comes."""
    return partial(_failing_of, contact_id, error)


def _failing_of(contact_id: str, error: Exception, log: Log, text: pl.DataFrame, faults: Any) -> ValidationResult:
    if contact_id in text["contact_id"]:
        raise error
    return validate(log, text, faults)


def acting(changes: dict[str, tuple[Path, bytes | None]]) -> Validator:
    """A judge during whose work on a row of a contact a file gets other content, or is gone."""
    return partial(_acting, changes)


def _acting(
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
    """A judge that loses count where a row of this contact comes."""
    return partial(_rejecting_twice, contact_id)


def _rejecting_twice(contact_id: str, log: Log, text: pl.DataFrame, faults: Any) -> ValidationResult:
    judgement = validate(log, text, faults)
    times = 2 if contact_id in text["contact_id"] else 1
    return ValidationResult(judgement.rows, pl.concat([judgement.reasons] * times))
