"""Key conflicts: accepted rows with the id of other rows of the log, and another contact. None of them repeats another row.

The index (`DataPaths.key_index`) holds a hash of the key of every row in the lake, and one of its key and contact. Each update
reads the lake files that are new or changed, by their checksums, and compares only keys that occur in them. Rows whose hashes
are in conflict are then compared by their values. The index can be deleted: it is written again from the lake. It is not opened
if the ledger knows the same files and the same index file as after the last update.

Not here: which columns are compared (`models.logs`), how many conflicts hold a build back (`quality.gate`).
"""

import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from models.enums import Log
from models.logs import CONTACT_KEYS, ContactKey
from warehouse.config import DataPaths
from warehouse.duckdb_tools import SessionLimits, enable_s3, is_corruption_error, literal, masked_id, small_session
from warehouse.lake import tables as lake_tables
from warehouse.ledger import IN_FLIGHT, Ledger, LoadedFile
from warehouse.storage import AnyPath, Checksum, FileStat, is_object, remove

VERSION = f"2, DuckDB {duckdb.__version__}"
"""The version of the index. DuckDB may change its hashes."""

_TABLES = """
    create table if not exists keys.version (version varchar);
    create table if not exists keys.files (log varchar, source_file varchar, content varchar, number uinteger);
    create table if not exists keys.conflicting_rows
        (log varchar, source_file varchar, key varchar, key_hash ubigint, row_hash ubigint);
""" + "".join(
    f"create table if not exists keys.{log} (file uinteger, key_hash ubigint, row_hash ubigint);"
    for log in CONTACT_KEYS
)
"""The table of a log has its rows. `file` is the number of a file in `files`: a name in each row would take most of the time."""

_TEMP_TABLES = ("outdated", "candidates", "added", "earlier")

Files = dict[str, tuple[str, LoadedFile]]
"""By the name of a log file, what identifies the content of its file in the lake, and its record."""

INDEX_FILE = "index file"
"""Stands for the index file among the fingerprints that the ledger records."""

log = logging.getLogger("sendmart")


@dataclass(frozen=True)
class _LogState:
    """The files of a log in the lake, and how many rows of each of its files the ledger records as conflicting."""

    in_lake: Files
    conflicting: dict[str, int]

    @property
    def fingerprint(self) -> str:
        contents = sorted((name, content) for name, (content, _) in self.in_lake.items())
        return hashlib.sha256(repr((VERSION, contents, sorted(self.conflicting.items()))).encode()).hexdigest()


def update_key_conflicts(limits: SessionLimits, paths: DataPaths, ledger: Ledger, logs: Iterable[Log] = Log) -> None:
    """Brings the index up to date with the lake, and records in the ledger how many rows of each file are conflicting.

    `logs`: those whose rows in the lake may have changed.
    """
    with_key = [log_name for log_name in logs if log_name in CONTACT_KEYS]
    if not with_key and (paths.key_index.exists() or not any(ledger.files(log_name) for log_name in CONTACT_KEYS)):
        return
    indexed = _indexed(paths, ledger)
    states = {log_name: _state_of(paths, ledger, log_name) for log_name in with_key}
    outdated = {log_name: state for log_name, state in states.items() if indexed.get(log_name) != state.fingerprint}
    if indexed and not outdated:
        return
    try:
        updated = _update_index(limits, paths, ledger, outdated)
    except duckdb.Error as error:
        if not delete_damaged_index(paths, error):
            raise
        indexed, updated = {}, _update_index(limits, paths, ledger, {})
    ledger.record_indexed_keys(indexed | updated | {INDEX_FILE: _fingerprint_of_index(paths)})


def delete_damaged_index(paths: DataPaths, error: duckdb.Error) -> bool:
    """Whether DuckDB's error means that the index is damaged. It is deleted then, and the next update writes it again."""
    if not is_corruption_error(str(error)) or not paths.key_index.exists():
        return False
    _delete_index(paths, " ".join(str(error).split())[:200])
    return True


def copy_key_conflicts(
    connection: duckdb.DuckDBPyConnection, paths: DataPaths, table: str, *, mask_phone_numbers: bool = False
) -> None:
    """Creates a table with a row for each log and key that has several values, and with their numbers."""
    connection.execute(f'create table {table} (log varchar, "key" varchar, "rows" bigint, "values" bigint)')
    if not paths.key_index.exists():
        return
    connection.execute(f"attach {literal(paths.key_index)} as keys (read_only)")
    printed_key = masked_id("key") if mask_phone_numbers else "key"
    connection.execute(
        f"insert into {table} select log, {printed_key}, count(*), count(distinct row_hash) from keys.conflicting_rows"
        " group by log, key order by log, key"
    )
    connection.execute("detach keys")


def _indexed(paths: DataPaths, ledger: Ledger) -> dict[str, str]:
    """The fingerprints of the last update; none if the index file is not as that update left it."""
    # A killed process leaves what it committed in the write-ahead log.
    if not paths.key_index.exists() or _wal_of(paths).exists():
        return {}
    indexed = ledger.indexed_keys()
    return indexed if indexed.get(INDEX_FILE) == _fingerprint_of_index(paths) else {}


def _fingerprint_of_index(paths: DataPaths) -> str:
    return f"{VERSION} {FileStat.of(paths.key_index).hash_placeholder}"


def _wal_of(paths: DataPaths) -> Path:
    return paths.key_index.with_name(f"{paths.key_index.name}.wal")


def _state_of(paths: DataPaths, ledger: Ledger, log_name: Log) -> _LogState:
    recorded = ledger.files(log_name)
    conflicting = {file.source_file: file.conflicting for file in recorded if file.conflicting}
    return _LogState(_files_in_lake(paths, ledger.checksums(log_name), recorded), conflicting)


def _update_index(
    limits: SessionLimits, paths: DataPaths, ledger: Ledger, states: Mapping[Log, _LogState]
) -> dict[str, str]:
    """Updates the rows of these logs, or of all logs in a new index; returns the fingerprints of these logs."""
    paths.key_index.parent.mkdir(parents=True, exist_ok=True)
    with small_session(limits) as connection:
        enable_s3(connection, paths.lake)
        is_new = not paths.key_index.exists()
        connection.execute(f"attach {literal(paths.key_index)} as keys")
        if is_new or not _is_current(connection):
            connection.execute("detach keys")
            _delete_index(paths, "it is new, or another version wrote it")
            connection.execute(f"attach {literal(paths.key_index)} as keys; begin; {_TABLES}")
            connection.execute("insert into keys.version values (?)", [VERSION])
            connection.execute("commit")
            states = {log_name: _state_of(paths, ledger, log_name) for log_name in CONTACT_KEYS}
        updated: dict[str, str] = {
            log_name: _update_log(connection, paths, ledger, log_name, state).fingerprint
            for log_name, state in states.items()
        }
        connection.execute("detach keys")
    return updated


def _is_current(connection: duckdb.DuckDBPyConnection) -> bool:
    has_version = connection.execute(
        "select 1 from duckdb_tables() where (database_name, table_name) = ('keys', 'version')"
    ).fetchone()
    return has_version is not None and connection.execute("from keys.version").fetchall() == [(VERSION,)]


def _delete_index(paths: DataPaths, reason: str) -> None:
    log.info("%s is written again: %s", paths.key_index, reason)
    for file in (paths.key_index, _wal_of(paths)):
        remove(file)


def _update_log(
    connection: duckdb.DuckDBPyConnection, paths: DataPaths, ledger: Ledger, log_name: Log, state: _LogState
) -> _LogState:
    """Updates the rows of a log, and returns its state afterwards."""
    _update_rows(connection, paths, log_name, state.in_lake)
    counts = "select source_file, count(*) from keys.conflicting_rows where log = ? group by source_file"
    conflicting = dict(connection.execute(counts, [log_name]).fetchall())
    # Compared each time: the process may have been killed after the index was written.
    if conflicting != state.conflicting:
        ledger.record_conflicting_rows(log_name, conflicting)
    return _LogState(state.in_lake, conflicting)


def _update_rows(connection: duckdb.DuckDBPyConnection, paths: DataPaths, log_name: Log, in_lake: Files) -> None:
    indexed = dict(
        connection.execute("select source_file, content from keys.files where log = ?", [log_name]).fetchall()
    )
    changed = {name for name, (content, _) in in_lake.items() if indexed.get(name) != content}
    outdated = {name for name in indexed if name not in in_lake or name in changed}
    if not changed and not outdated:
        return
    connection.execute("begin")
    connection.execute(
        "create or replace temp table outdated as select unnest(?::varchar[]) as source_file", [[*outdated]]
    )
    is_outdated = "log = $log and source_file in (from outdated)"
    parameters = {"log": log_name}
    # Only a key in conflict can cease to be, and only a key of an added row can begin to be.
    connection.execute(
        "create or replace temp table candidates as"
        f" select distinct key_hash from keys.conflicting_rows where {is_outdated}",
        parameters,
    )
    if outdated:
        connection.execute(
            f"delete from keys.{log_name} where file in (select number from keys.files where {is_outdated})", parameters
        )
        connection.execute(f"delete from keys.files where {is_outdated}", parameters)
    if changed:
        _add_rows(connection, paths, log_name, {name: in_lake[name] for name in sorted(changed)})
    _compare_candidates(connection, paths, log_name, in_lake)
    connection.execute("commit")
    connection.execute("; ".join(f"drop table if exists {table}" for table in _TEMP_TABLES))


def _add_rows(connection: duckdb.DuckDBPyConnection, paths: DataPaths, log_name: Log, added: Files) -> None:
    """Adds the rows of files to the index, and the keys that conflict with them to the candidates."""
    ((first,),) = connection.execute("select coalesce(max(number) + 1, 0) from keys.files").fetchall()
    connection.execute(
        f"create or replace temp table added as select {first} + file_index as file, {_hashes(CONTACT_KEYS[log_name])}"
        f" from {_rows_of(paths, added, added)}"
    )
    connection.executemany(
        "insert into keys.files values (?, ?, ?, ?)",
        [(log_name, name, content, first + index) for index, (name, (content, _)) in enumerate(added.items())],
    )
    in_conflict = "group by key_hash having min(row_hash) <> max(row_hash)"
    # First the few keys that occur twice: their hashes of rows are compared, not those of all rows.
    connection.execute(
        "insert into candidates with repeated as materialized"
        " (select key_hash from added group by key_hash having count(*) > 1)"
        f" select key_hash from added where key_hash in (from repeated) {in_conflict}"
    )
    if connection.execute(f"select 1 from keys.{log_name} limit 1").fetchone():
        connection.execute(
            "create or replace temp table earlier as"
            f" select key_hash, row_hash from keys.{log_name} where key_hash in (select key_hash from added)"
        )
        connection.execute(
            "insert into candidates select key_hash from (from earlier union all"
            " select key_hash, row_hash from added where key_hash in (select key_hash from earlier))"
            f" {in_conflict}"
        )
    connection.execute(f"insert into keys.{log_name} from added")


def _files_in_lake(paths: DataPaths, checksums: Mapping[Path, Checksum], recorded: Iterable[LoadedFile]) -> Files:
    """The files with rows in the lake; a damaged one counts as gone until it is loaded again.

    A release before checksums recorded none: the time of the load stands for it.
    """
    files: Files = {}
    for file in recorded:
        path = lake_tables.path_of(paths.lake, file)
        checksum = checksums.get(paths.key_of(path))
        if file.accepted and file.sha256 != IN_FLIGHT and _is_whole(path, checksum):
            content = checksum.sha256 if checksum else f"{file.sha256} {file.loaded_at.isoformat()}"
            files[file.source_file] = content, file
    return files


def _is_whole(path: AnyPath, checksum: Checksum | None) -> bool:
    if is_object(path):
        return True
    return path.exists() and (checksum is None or path.stat().st_size == checksum.size)


def _compare_candidates(connection: duckdb.DuckDBPyConnection, paths: DataPaths, log_name: Log, in_lake: Files) -> None:
    """Replaces the recorded conflicting rows of the candidates."""
    if not connection.execute("select 1 from candidates limit 1").fetchone():
        return
    key, parameters = CONTACT_KEYS[log_name], {"log": log_name}
    connection.execute(
        "delete from keys.conflicting_rows where log = $log and key_hash in (from candidates)", parameters
    )
    names = connection.execute(
        "select source_file from keys.files where log = $log and number in"
        f" (select file from keys.{log_name} where key_hash in (from candidates))",
        parameters,
    ).fetchall()
    if names:
        connection.execute(
            f"insert into keys.conflicting_rows select $log, source_file, {key.column} as key, {_hashes(key)}"
            f" from {_rows_of(paths, [name for (name,) in names], in_lake)}"
            # Two keys may have one hash.
            " where key_hash in (from candidates) window of_key as (partition by key)"
            " qualify min(row_hash) over of_key <> max(row_hash) over of_key",
            parameters,
        )


def _hashes(key: ContactKey) -> str:
    """The hash of a row's key, and the hash of its key and contact: of the contact alone, somebody could guess it."""
    return f"hash({key.column}) as key_hash, hash({', '.join((key.column, *key.same))}) as row_hash"


def _rows_of(paths: DataPaths, names: Iterable[str], in_lake: Files) -> str:
    files = ", ".join(literal(lake_tables.path_of(paths.lake, in_lake[name][1])) for name in sorted(names))
    return f"read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
