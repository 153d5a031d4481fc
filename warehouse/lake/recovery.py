"""What is left of loads that were killed, or of a ledger that was lost: half-written files go, whole ones are noted.

A log file may be gone from the landing zone before the load that took it can be repeated. What the lake then holds of it
is in the figures, and so must be in the ledger: it is noted as it lies there.

Not here: the load (`warehouse.ingest.load`), files that are damaged (`warehouse.lake.integrity`).
"""

import logging
import re
import shutil
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from models.enums import Log
from models.logs import EVENT_TIME
from warehouse.config import DataPaths
from warehouse.duckdb_tools import literal
from warehouse.lake import tables as lake_tables
from warehouse.lake.integrity import DamagedFile, LakeDamaged
from warehouse.landing import FileStat, LandingFile
from warehouse.ledger import IN_FLIGHT, UNKNOWN_SHA256, Ledger, LoadedFile, now
from warehouse.storage import AnyPath, Checksum, names_in, remove

log = logging.getLogger("sendmart")

_ASIDE = re.compile(r"log_date=[^/]+/\.[^/]*\.parquet\.tmp")
_NO_STAT = FileStat(0, 0, 0, 0, 0)


def recover(paths: DataPaths, ledger: Ledger, of_log: Log, in_landing: Iterable[LandingFile]) -> None:
    """Makes good what is left of a log: to be called where no load is under way, and before the next."""
    noted = {lake_tables.path_of(Path(), file): file for file in ledger.files(of_log)}
    to_be_taken = {lake_tables.path_of(Path(), file) for file in in_landing}
    unsettled = {path for path, file in noted.items() if file.sha256 == IN_FLIGHT}
    empty = lake_tables.empty_file(paths, of_log).relative_to(paths.lake)
    shutil.rmtree(paths.transfers, ignore_errors=True)
    for root in (paths.lake, paths.quarantine):
        for name in names_in(root / of_log):
            path = Path(of_log) / name
            if _ASIDE.fullmatch(name):
                remove(root / path)
            elif lake_tables.DATA_FILE.fullmatch(name) and path not in noted and path != empty:
                unsettled.add(path)
    for path in sorted(unsettled - to_be_taken):
        _note_as_it_lies(paths, ledger, of_log, path, noted.get(path))


def _note_as_it_lies(paths: DataPaths, ledger: Ledger, of_log: Log, path: Path, noted: LoadedFile | None) -> None:
    there = lake_tables.existing(root / path for root in (paths.lake, paths.quarantine))
    with ExitStack() as copies:
        files = {one: copies.enter_context(paths.local_copy(one)) for one in there}
        loaded = _as_it_lies(paths, of_log, path, noted, files)
        log.warning(
            "%s/%s is gone from the landing zone, and was not noted when it was taken: noted as the lake holds it,"
            " %d rows accepted, %d quarantined", of_log, loaded.source_file, loaded.accepted, loaded.rejected,
        )  # fmt: skip
        contents = {paths.key_of(one): Checksum.of(file) for one, file in files.items()}
        ledger.record_files([(loaded, _NO_STAT)], contents)


def _as_it_lies(
    paths: DataPaths, of_log: Log, path: Path, noted: LoadedFile | None, files: Mapping[AnyPath, Path]
) -> LoadedFile:
    """What the files of lake and quarantine, each at hand on the disk, say of the log file that they came from."""
    accepted, rejected = paths.lake / path, paths.quarantine / path
    log_date = date.fromisoformat(path.parent.name.removeprefix("log_date="))
    try:
        rows = {one: pq.read_metadata(file).num_rows for one, file in files.items()}
        source_file = noted.source_file if noted else _source_file(next(iter(files.values())))
        first_event, last_event = _events(of_log, files[accepted]) if accepted in files else (None, None)
    except (pa.ArrowException, duckdb.Error) as error:
        found = "was not noted when it was written, and cannot be read"
        name = noted.source_file if noted else "a file that is not known"
        raise LakeDamaged(
            [DamagedFile(of_log, log_date, name, paths.key_of(sorted(files, key=str)[0]), found)]
        ) from error
    return LoadedFile(
        log=of_log,
        source_file=source_file,
        log_date=log_date,
        sha256=UNKNOWN_SHA256,
        refusal=None,
        records=sum(rows.values()),
        accepted=rows.get(accepted, 0),
        rejected=rows.get(rejected, 0),
        first_event=first_event,
        last_event=last_event,
        unknown_columns=(),
        loaded_at=now(),
    )


def _source_file(file: Path) -> str:
    return pq.read_table(file, columns=["source_file"])["source_file"][0].as_py()


def _events(of_log: Log, file: Path) -> tuple[str, str]:
    event = EVENT_TIME[of_log]
    with duckdb.connect() as connection:
        return connection.execute(
            f"select min({event})::varchar, max({event})::varchar from read_parquet({literal(file)})"
        ).fetchone()
