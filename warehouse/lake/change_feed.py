"""The change feed: which files of the lake came, changed or went since a build used them, and what they held before.

A change is noted before a file moves, with what it replaces kept aside, and stays open until a build that used it has
finished: a load or a build that is killed at any point is simply repeated. The keys that a change touches are those of
the rows in these files; a build reads them as the relations `changes.<log>`, of which `change` says whether a row was
added or removed. A row that was removed may be in the lake all the same, from another file or from this one's new
content: it says no more than that its key must be looked up again.

Not here: what a build does with it (`dbt_project/models/this_run`).
"""

import logging
import os
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import duckdb

from models.enums import Log
from models.logs import COLUMNS
from warehouse.config import DataPaths
from warehouse.duckdb_tools import enable_s3, literal
from warehouse.lake import tables as lake_tables
from warehouse.landing import LandingFile
from warehouse.ledger import Change, Ledger
from warehouse.storage import AnyPath, Checksum, is_object, remove, sync_file, sync_folder

SCHEMA = "changes"

log = logging.getLogger("sendmart")


def record(paths: DataPaths, ledger: Ledger, files: Iterable[LandingFile]) -> None:
    """Notes that the lake's files of these log files are about to be replaced, or taken away."""
    noted = ledger.checksums()
    files = list(files)
    there = lake_tables.existing(lake_tables.path_of(paths.lake, file) for file in files)
    changes = []
    for file in files:
        path = lake_tables.path_of(paths.lake, file)
        kept = _kept_aside(paths, file.log, path) if path in there else None
        content = noted.get(paths.key_of(path))
        if kept and content and Checksum.of(kept) != content:
            log.warning("%s is damaged, and is replaced: everything is built in full", path)
            ledger.forget_built_from(ledger.built_from())
            remove(path)
            remove(kept)
            kept = None
        changes.append((file, path.relative_to(paths.lake), kept and kept.relative_to(paths.changes)))
    ledger.record_changes(changes)


def _kept_aside(paths: DataPaths, log: Log, path: AnyPath) -> Path:
    """Where a file of the lake stays, on the disk, to be read when another has taken its place."""
    kept = paths.changes / log / f"{path.stem}-{secrets.token_hex(6)}.parquet"
    kept.parent.mkdir(parents=True, exist_ok=True)
    if is_object(path):
        with paths.local_copy(path) as copy:
            sync_file(copy)
            copy.replace(kept)
    else:
        try:
            os.link(path, kept)
        except OSError:  # not every file system has hard links
            shutil.copyfile(path, kept)
            sync_file(kept)
    sync_folder(kept.parent)
    return kept


def show(connection: duckdb.DuckDBPyConnection, database: str, paths: DataPaths, changes: Iterable[Change]) -> None:
    """Makes the rows of open changes readable as `<database>.changes.<log>`."""
    changes = list(changes)
    enable_s3(connection, paths.lake)
    connection.execute(f"create schema if not exists {database}.{SCHEMA}")
    for log in Log:
        of_log = [change for change in changes if change.log == log]
        added = sorted({paths.lake / change.path for change in of_log})
        removed = [paths.changes / change.replaced for change in of_log if change.replaced]
        connection.execute(
            f"create or replace view {database}.{SCHEMA}.{log} as"
            f" {_rows(paths, log, added, 'added')} union all {_rows(paths, log, removed, 'removed')}"
        )


def _rows(paths: DataPaths, log: Log, files: Iterable[AnyPath], change: str) -> str:
    # With the lake's empty file, there is always one to tell the columns and their types.
    files = [lake_tables.empty_file(paths, log), *files]
    there = lake_tables.existing(files)
    listed = ", ".join(literal(file) for file in files if file in there)
    columns = ", ".join([*(column.name for column in COLUMNS[log]), *lake_tables.LINEAGE])
    return (
        f"select {columns}, {literal(change)} as change"
        f" from read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
    )


def are_complete(paths: DataPaths, changes: Iterable[Change]) -> bool:
    """Whether all that was kept aside for these changes is still there."""
    return all((paths.changes / change.replaced).exists() for change in changes if change.replaced)


def show_added_rows(
    connection: duckdb.DuckDBPyConnection, database: str, paths: DataPaths, changes: Iterable[Change]
) -> None:
    """Leaves of changes that were used what came by them, for the checks: what was replaced is about to be deleted."""
    show(connection, database, paths, [replace(change, replaced=None) for change in changes])


def prune(paths: DataPaths, ledger: Ledger) -> None:
    """Deletes what was kept aside for changes that are closed, or that were never noted."""
    needed = {paths.changes / change.replaced for change in ledger.open_changes() if change.replaced}
    for file in paths.changes.glob("*/*.parquet"):
        if file not in needed:
            remove(file)
