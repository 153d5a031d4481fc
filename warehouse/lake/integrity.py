"""Integrity of lake and quarantine: whether every file is the one that was written.

Every refresh compares sizes, at the price of one `stat` per file or one listing of an object store. Checksums are compared
before a full build, after a failed build, and with `--verify`. A file without a recorded checksum, written by a release
before checksums, is compared by its number of rows.

Not here: loading a damaged file's rows from the landing zone again (`orchestration.stages`).
"""

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from models.enums import Log
from warehouse.config import DataPaths
from warehouse.lake import tables as lake_tables
from warehouse.ledger import IN_FLIGHT, Ledger, LoadedFile
from warehouse.storage import AnyPath, Checksum, is_object, list_objects, remove

log = logging.getLogger("sendmart")

FILES_NAMED = 20
DOWNLOAD_THREADS = 16


@dataclass(frozen=True)
class DamagedFile:
    """A file of lake or quarantine that is not the one that was written: its key, and the difference as a predicate."""

    log: Log
    log_date: date
    source_file: str
    key: Path
    problem: str

    def __str__(self) -> str:
        return f"{self.key} (of {self.log}/{self.source_file}, log date {self.log_date}) {self.problem}"


class LakeDamaged(Exception):
    """Files of the lake are damaged, and their log files are no longer in the landing zone."""

    def __init__(self, files: Iterable[DamagedFile]) -> None:
        self.files = list(files)
        names = "; ".join(str(file) for file in self.files[:FILES_NAMED])
        more = f"; and {len(self.files) - FILES_NAMED} more" if len(self.files) > FILES_NAMED else ""
        super().__init__(names + more)


def find_damaged(
    paths: DataPaths, ledger: Ledger, of_log: Log | None = None, *, verify_checksums: bool
) -> list[DamagedFile]:
    """The files that are missing or have another size; with `verify_checksums`, also those with other content."""
    recorded = ledger.checksums(of_log)
    object_sizes = _object_sizes(paths, of_log)

    def check(expected: tuple[LoadedFile, Path, int]) -> DamagedFile | None:
        file, key, rows = expected
        path = paths.path_from_key(key)
        problem = _problem(paths, path, object_sizes.get(key), recorded.get(key), rows, verify_checksums)
        return DamagedFile(file.log, file.log_date, file.source_file, key, problem) if problem else None

    if verify_checksums and is_object(paths.lake):
        # In parallel: one by one, each download would wait for the store.
        with ThreadPoolExecutor(DOWNLOAD_THREADS) as threads:
            return [damaged for damaged in threads.map(check, _data_files(ledger, of_log)) if damaged]
    return [damaged for damaged in map(check, _data_files(ledger, of_log)) if damaged]


def _data_files(ledger: Ledger, of_log: Log | None) -> Iterable[tuple[LoadedFile, Path, int]]:
    """The expected files of lake and quarantine: the log file, the key, the number of rows."""
    for file in ledger.files(of_log):
        # During a load a file may be the old or the new one: the log file is loaded again in any case.
        if file.sha256 != IN_FLIGHT:
            for root, rows in (("lake", file.accepted), ("quarantine", file.rejected)):
                if rows:
                    yield file, lake_tables.path_of(Path(root), file), rows


def _object_sizes(paths: DataPaths, of_log: Log | None) -> dict[Path, int]:
    """The sizes of the lake's objects by key, from one listing: a request per object would take long."""
    if not is_object(paths.lake):
        return {}
    folder = paths.lake / of_log if of_log else paths.lake
    return {paths.key_of(folder / name): info.size for name, info in list_objects(folder).items()}


def _problem(
    paths: DataPaths, path: AnyPath, size: int | None, recorded: Checksum | None, rows: int, verify_checksums: bool
) -> str | None:
    """The difference between a file (of an object with its size) and its record, as a predicate; None if there is none."""
    try:
        if not is_object(path):
            size = path.stat().st_size
        if size is None:
            return "is missing"
        if recorded is not None and size != recorded.size:
            return f"has {size:,} bytes, but {recorded.size:,} were written"
        if verify_checksums:
            with paths.local_copy(path) as file:
                if recorded is not None and Checksum.of(file) != recorded:
                    return "has another SHA-256 than the file that was written"
                if recorded is None and _row_count(file) != rows:
                    return f"does not hold the {rows:,} rows that were written"
    except FileNotFoundError:
        return "is missing"
    return None


def _row_count(path: Path) -> int | None:
    """The number of rows of a file, which is read in full; None if it cannot be read."""
    try:
        with pq.ParquetFile(path) as file:
            return sum(int(batch.num_rows) for batch in file.iter_batches())
    except (pa.ArrowException, OSError):
        return None


def record_missing_checksums(paths: DataPaths, ledger: Ledger, of_log: Log) -> None:
    """Records the checksums of the files of a log that have none and were verified by their row counts."""
    recorded = ledger.checksums(of_log)
    checksums = {}
    for _, key, _ in _data_files(ledger, of_log):
        if key not in recorded:
            with suppress(FileNotFoundError), paths.local_copy(paths.path_from_key(key)) as file:
                checksums[key] = Checksum.of(file)
    if checksums:
        ledger.record_files([], checksums)


def delete_damaged(paths: DataPaths, ledger: Ledger, files: Iterable[DamagedFile]) -> None:
    """Deletes damaged files before they are loaded again. The next build is a full one: the keys that they held are unknown."""
    for file in files:
        log.warning("%s; it is loaded from the landing zone again", file)
        if file.key.parts[0] == "lake":
            ledger.forget_built_from(ledger.built_from())
        remove(paths.path_from_key(file.key))
