"""The change feed: which lake files were added, replaced or removed since the last build, and their previous versions.

A change is recorded before a file moves, and stays open until a build that used it has finished, so a killed load or build is
simply repeated. A build reads the rows of these files as `changes.<log>`, whose column `change` says `added` or `removed`, for
the keys to compute again. A removed row may still be in the lake, from another file or from the new version.

Not here: how a build uses the changes (`dbt_project/models/this_run`).
"""

import logging
import os
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import duckdb
import polars as pl

from models.enums import Log
from models.marts import sql_type
from warehouse.config import DataPaths
from warehouse.duckdb_tools import enable_s3, literal
from warehouse.lake import tables as lake_tables
from warehouse.ledger import Change, Ledger, LogFile
from warehouse.storage import AnyPath, Checksum, is_object, remove, sync_file, sync_folder

SCHEMA = "changes"

log = logging.getLogger("sendmart")


def record(paths: DataPaths, ledger: Ledger, files: Iterable[LogFile]) -> None:
    """Records that the lake files of these log files are about to be replaced or removed, and keeps their content."""
    files = list(files)
    recorded = {
        key: checksum
        for log_name in {file.log for file in files}
        for key, checksum in ledger.checksums(log_name).items()
    }
    existing = lake_tables.existing(lake_tables.path_of(paths.lake, file) for file in files)
    changes = []
    for file in files:
        path = lake_tables.path_of(paths.lake, file)
        previous_version = _keep_previous(paths, file.log, path) if path in existing else None
        checksum = recorded.get(paths.key_of(path))
        if previous_version and checksum and Checksum.of(previous_version) != checksum:
            log.warning("%s is damaged and will be replaced: the next build builds every model in full", path)
            ledger.forget_built_from(ledger.built_from())
            remove(path)
            remove(previous_version)
            previous_version = None
        replaced = previous_version.relative_to(paths.changes) if previous_version else None
        changes.append((file, lake_tables.path_of(Path(), file), replaced))
    ledger.record_changes(changes)


def _keep_previous(paths: DataPaths, log: Log, path: AnyPath) -> Path:
    """Keeps the content of a lake file in the folder of the change feed, by a hard link if possible."""
    previous_version = paths.changes / log / f"{path.stem}-{secrets.token_hex(6)}.parquet"
    previous_version.parent.mkdir(parents=True, exist_ok=True)
    if is_object(path):
        with paths.local_copy(path) as copy:
            sync_file(copy)
            copy.replace(previous_version)
    else:
        try:
            os.link(path, previous_version)
        except OSError:  # some file systems have no hard links
            shutil.copyfile(path, previous_version)
            sync_file(previous_version)
    sync_folder(previous_version.parent)
    return previous_version


def create_views(
    connection: duckdb.DuckDBPyConnection, database: str, paths: DataPaths, changes: Iterable[Change]
) -> None:
    """Creates the views `<database>.changes.<log>` on the rows of these changes."""
    changes = list(changes)
    enable_s3(connection, paths.lake)
    connection.execute(f"create schema if not exists {database}.{SCHEMA}")
    for log in Log:
        changes_of_log = [change for change in changes if change.log == log]
        added = sorted({paths.lake / change.path for change in changes_of_log})
        removed = [paths.changes / change.replaced for change in changes_of_log if change.replaced]
        connection.execute(
            f"create or replace view {database}.{SCHEMA}.{log} as"
            f" {_rows(paths, log, added, 'added')} union all {_rows(paths, log, removed, 'removed')}"
        )


def _rows(paths: DataPaths, log: Log, files: Iterable[AnyPath], change: str) -> str:
    # The empty file of the lake is always there, and gives the columns and their types.
    files = [lake_tables.empty_file(paths.lake, log), *files]
    existing = lake_tables.existing(files)
    names = ", ".join(literal(file) for file in files if file in existing)
    # A file of an older version may hold another decimal type; of a row that was removed, only the key is used.
    columns = ", ".join(
        f"try_cast({name} as {sql_type(dtype)}) as {name}" if isinstance(dtype, pl.Decimal) else name
        for name, dtype in lake_tables.lake_schema(log).items()
    )
    # The previous version of a file lies in no folder of a log date.
    log_date = r"try_cast(regexp_extract(filename, '[/\\]log_date=([0-9-]+)[/\\]', 1) as date) as log_date"
    return (
        f"select {columns}, {log_date}, {literal(change)} as change"
        f" from read_parquet([{names}], union_by_name = true, hive_partitioning = false)"
    )


def are_complete(paths: DataPaths, changes: Iterable[Change]) -> bool:
    """Whether every previous version that was kept for these changes still exists."""
    return all((paths.changes / change.replaced).exists() for change in changes if change.replaced)


def create_views_of_added_rows(
    connection: duckdb.DuckDBPyConnection, database: str, paths: DataPaths, changes: Iterable[Change]
) -> None:
    """Creates the views on the added rows only, for the checks of a build: the previous versions are about to be deleted."""
    create_views(connection, database, paths, [replace(change, replaced=None) for change in changes])


def prune(paths: DataPaths, ledger: Ledger) -> None:
    """Deletes the kept files of changes that are closed or were never recorded."""
    needed = {paths.changes / change.replaced for change in ledger.open_changes() if change.replaced}
    for file in paths.changes.glob("*/*.parquet"):
        if file not in needed:
            remove(file)
