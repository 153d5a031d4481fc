"""Recovery after a killed load or a lost ledger: temporary files are deleted, and complete files are recorded.

The metrics may include the rows of a log file that is gone before its load is repeated, so it is recorded as the lake holds it.
Not here: the load (`warehouse.ingest.load`), damaged files (`warehouse.lake.integrity`).
"""

import logging
import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.enums import Log
from models.logs import EVENT_TIME
from warehouse.config import DataPaths
from warehouse.lake import tables as lake_tables
from warehouse.lake.integrity import DamagedFile, LakeDamaged
from warehouse.ledger import IN_FLIGHT, UNKNOWN_SHA256, Ledger, LoadedFile, LogFile
from warehouse.storage import AnyPath, Checksum, FileStat, names_in, remove

log = logging.getLogger("sendmart")

_TEMP_FILE = re.compile(r"log_date=[^/]+/\.[^/]*\.parquet\.tmp")
_NO_STAT = FileStat(0, 0, 0, 0, 0)


def recover(paths: DataPaths, ledger: Ledger, of_log: Log, in_landing: Iterable[LogFile]) -> None:
    """Recovers the files of a log; to be called before its load, with the log files in the landing zone."""
    recorded = {lake_tables.path_of(Path(), file): file for file in ledger.files(of_log)}
    to_load = {lake_tables.path_of(Path(), file) for file in in_landing}
    unsettled = {path for path, file in recorded.items() if file.sha256 == IN_FLIGHT}
    empty = lake_tables.empty_file(Path(), of_log)
    shutil.rmtree(paths.transfers, ignore_errors=True)
    roots: tuple[AnyPath, ...] = (paths.lake, paths.quarantine)
    for root in roots:
        for name in names_in(root / of_log):
            path = Path(of_log) / name
            if _TEMP_FILE.fullmatch(name):
                remove(root / path)
            elif lake_tables.DATA_FILE.fullmatch(name) and path not in recorded and path != empty:
                unsettled.add(path)
    for path in sorted(unsettled - to_load):
        _record_from_lake(paths, ledger, of_log, path, recorded.get(path))


def _record_from_lake(paths: DataPaths, ledger: Ledger, of_log: Log, path: Path, recorded: LoadedFile | None) -> None:
    """Records the log file whose rows have this path in lake and quarantine."""
    existing = lake_tables.existing([paths.lake / path, paths.quarantine / path])
    with ExitStack() as copies:
        files = {file: copies.enter_context(paths.local_copy(file)) for file in existing}
        loaded = _loaded_file(paths, of_log, path, recorded, files)
        log.warning(
            "%s/%s is gone from the landing zone, and its load was not recorded: recorded as the lake holds it,"
            " %d rows accepted, %d quarantined", of_log, loaded.source_file, loaded.accepted, loaded.rejected,
        )  # fmt: skip
        checksums = {paths.key_of(file): Checksum.of(copy) for file, copy in files.items()}
        ledger.record_files([(loaded, _NO_STAT)], checksums)


def _loaded_file(
    paths: DataPaths, of_log: Log, path: Path, recorded: LoadedFile | None, files: Mapping[AnyPath, Path]
) -> LoadedFile:
    """The load result that the files of lake and quarantine show, by their local copies; LakeDamaged if one is unreadable."""
    accepted, rejected = paths.lake / path, paths.quarantine / path
    log_date = date.fromisoformat(path.parent.name.removeprefix("log_date="))
    try:
        rows = {file: int(pq.read_metadata(copy).num_rows) for file, copy in files.items()}
        source_file = recorded.source_file if recorded else _source_file(next(iter(files.values())))
        first_event, last_event = _event_range(of_log, files[accepted]) if accepted in files else (None, None)
    except pa.ArrowException as error:
        name = recorded.source_file if recorded else "an unknown file"
        key = paths.key_of(sorted(files, key=str)[0])
        problem = "was not recorded when it was written, and cannot be read"
        raise LakeDamaged([DamagedFile(of_log, log_date, name, key, problem)]) from error
    return LoadedFile(
        of_log, source_file, log_date, UNKNOWN_SHA256, None,
        sum(rows.values()), rows.get(accepted, 0), rows.get(rejected, 0), first_event, last_event,
    )  # fmt: skip


def _source_file(file: Path) -> str:
    return str(pq.read_table(file, columns=["source_file"])["source_file"][0])


def _event_range(of_log: Log, file: Path) -> tuple[str, str]:
    """The first and the last event time in a file of the lake."""
    event = EVENT_TIME[of_log]
    bounds = pc.min_max(pq.read_table(file, columns=[event])[event])
    return str(bounds["min"]), str(bounds["max"])
