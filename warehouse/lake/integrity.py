"""Whether the files of lake and quarantine are still what was written, and what can be done where they are not.

Sizes are looked at in every refresh, which costs a `stat` each, or one listing of an object store; checksums before a build
in full, after a build that failed, and with `--verify`. What was not noted, by a release before there were checksums, is held
to its number of rows.

Not here: taking a damaged file's rows from the landing zone again (`orchestration.stages`).
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
from warehouse.storage import AnyPath, Checksum, is_object, object_store, remove

log = logging.getLogger("sendmart")

MOST_NAMED = 20
FETCHED_AT_A_TIME = 16


@dataclass(frozen=True)
class DamagedFile:
    """A file of lake or quarantine that is not what was written; `place` within the data folder, and what was found."""

    log: Log
    log_date: date
    source_file: str
    path: Path
    found: str

    def __str__(self) -> str:
        return f"{self.path} (of {self.log}/{self.source_file}, log date {self.log_date}) {self.found}"


class LakeDamaged(Exception):
    """Files of the lake are damaged, and what they held is not to be had from the landing zone."""

    def __init__(self, files: Iterable[DamagedFile]) -> None:
        self.files = list(files)
        named = "; ".join(str(file) for file in self.files[:MOST_NAMED])
        more = f"; and {len(self.files) - MOST_NAMED} more" if len(self.files) > MOST_NAMED else ""
        super().__init__(named + more)


def find_damaged(
    paths: DataPaths, ledger: Ledger, of_log: Log | None = None, *, verify_checksums: bool
) -> list[DamagedFile]:
    """The files that are gone or have another size; with `contents`, also those that hold other bytes."""
    noted = ledger.checksums()
    in_store = _sizes_in_store(paths, of_log)

    def looked_at(one: tuple[LoadedFile, Path, int]) -> DamagedFile | None:
        file, name, rows = one
        path = paths.path_from_key(name)
        size = in_store.get(name) if is_object(path) else _size(path)
        fault = _fault(paths, path, size, noted.get(name), rows, verify_checksums)
        return DamagedFile(file.log, file.log_date, file.source_file, name, fault) if fault else None

    if verify_checksums and is_object(paths.lake):
        # Side by side: one after the other, each would wait for the store.
        with ThreadPoolExecutor(FETCHED_AT_A_TIME) as threads:
            return [found for found in threads.map(looked_at, _data_files(ledger, of_log)) if found]
    return [found for found in map(looked_at, _data_files(ledger, of_log)) if found]


def _data_files(ledger: Ledger, of_log: Log | None) -> Iterable[tuple[LoadedFile, Path, int]]:
    """The files that must be there, by what was taken, and how many rows are in each."""
    for file in ledger.files(of_log):
        # A file that is being taken may hold the old or the new: it is taken again.
        if file.sha256 != IN_FLIGHT:
            for root, rows in (("lake", file.accepted), ("quarantine", file.rejected)):
                if rows:
                    yield file, lake_tables.path_of(Path(root), file), rows


def _sizes_in_store(paths: DataPaths, of_log: Log | None) -> dict[Path, int]:
    """The sizes of a lake's objects, by one listing: a look at each would take long."""
    if not is_object(paths.lake):
        return {}
    folder = paths.lake / of_log if of_log else paths.lake
    return {paths.key_of(folder / name): one.size for name, one in object_store.list_objects(folder).items()}


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return None


def _fault(
    paths: DataPaths, path: AnyPath, size: int | None, noted: Checksum | None, rows: int, verify_checksums: bool
) -> str | None:
    try:
        if size is None:
            return "is not there"
        if noted is not None and size != noted.size:
            return f"has {size:,} bytes, and {noted.size:,} were written"
        if verify_checksums:
            with paths.local_copy(path) as file:
                if noted is not None and Checksum.of(file) != noted:
                    return "holds other bytes than were written: its SHA-256 is another"
                if noted is None and _rows(file) != rows:
                    return f"does not hold the {rows:,} rows that were written"
    except FileNotFoundError:
        return "is not there"
    return None


def _rows(path: Path) -> int | None:
    """How many rows a file holds, all of it read; None where it cannot be."""
    try:
        with pq.ParquetFile(path) as file:
            return sum(batch.num_rows for batch in file.iter_batches())
    except (pa.ArrowException, OSError):
        return None


def record_unknown(paths: DataPaths, ledger: Ledger, of_log: Log) -> None:
    """Notes what files hold of which nothing was noted so far, and that were found to be whole."""
    noted = ledger.checksums()
    found = {}
    for _, path, _ in _data_files(ledger, of_log):
        if path not in noted:
            with suppress(FileNotFoundError), paths.local_copy(paths.path_from_key(path)) as file:
                found[path] = Checksum.of(file)
    if found:
        ledger.record_checksums(found)


def delete_damaged(paths: DataPaths, ledger: Ledger, files: Iterable[DamagedFile]) -> None:
    """Removes damaged files that are about to be written anew. Nobody knows which keys they held: the next build is in
    full.
    """
    for file in files:
        log.warning("%s; it is taken from the landing zone again", file)
        if file.path.parts[0] == "lake":
            ledger.forget_built_from(ledger.built_from())
        remove(paths.path_from_key(file.path))
