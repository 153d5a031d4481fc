"""Loaded log files: content hash, row counts and acceptances; and the checksums of their files in lake and quarantine.

Not here: the changes that no build has used yet (`warehouse.ledger.change_feed`).
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from models.enums import Log
from models.logs import ADMISSION_VERSION
from warehouse.ledger.replacements import record_last_contents
from warehouse.ledger.store import Store, now
from warehouse.storage import Checksum, FileStat

IN_FLIGHT = ""
"""In place of the SHA-256 while a log file is being loaded: until the load is recorded, the file counts as pending."""

UNKNOWN_SHA256 = "not known"
"""In place of the SHA-256 of a log file that is gone, while the lake holds its rows."""


class LogFile(Protocol):
    """What identifies a log file, here and in the lake."""

    @property
    def log(self) -> Log: ...

    @property
    def log_date(self) -> date: ...

    @property
    def source_file(self) -> str: ...


class SourceFile(LogFile, Protocol):
    """A log file that can be read (`warehouse.landing.LandingFile`)."""

    @property
    def mapping_fingerprint(self) -> str: ...

    def stat(self) -> FileStat: ...

    def sha256(self) -> str: ...


F = TypeVar("F", bound=SourceFile)


@dataclass(frozen=True)
class LoadedFile:
    """The result of loading one log file, or why it was refused.

    `is_accepted`: a person accepted it (`sendmart accept`). `conflicting`: accepted rows whose key other rows of the log have
    with another contact (`warehouse.quarantine.key_conflicts`).
    """

    log: Log
    source_file: str
    log_date: date
    sha256: str
    refusal: str | None = None
    records: int = 0
    accepted: int = 0
    rejected: int = 0
    first_event: str | None = None
    last_event: str | None = None
    unknown_columns: tuple[str, ...] = ()
    loaded_at: datetime = field(default_factory=now)
    is_accepted: bool = False
    source: str = ""
    """The source that maps the file; empty: the file is written in the contract of its log."""
    mapping: str = ""
    """The fingerprint of the source's mapping."""
    not_selected: int = 0
    """Records that the mapping gives no row for: `records` are the accepted, the rejected and these."""
    conflicting: int = 0

    @property
    def rows(self) -> int:
        """The records that are rows of the log: accepted or rejected."""
        return self.accepted + self.rejected

    @property
    def path_in_landing(self) -> str:
        """The path of the file in the landing zone."""
        return self.source_file.partition(":")[2] if self.source else f"{self.log}/{self.source_file}"


@dataclass(frozen=True)
class RecordedStat:
    """The stat of a log file when it was loaded, and the fingerprint of its source's mapping; `is_in_flight`: the result of the
    load is not recorded. `has_old_rejections`: rules of an earlier release rejected rows of it, or refused it.
    """

    log_date: date
    stat: FileStat
    is_in_flight: bool
    mapping: str = ""
    has_old_rejections: bool = False


@dataclass(frozen=True)
class Acceptance:
    """The acceptance of one content of a log file; `is_in_force` while the file still has that content."""

    log: Log
    source_file: str
    reason: str
    accepted_at: datetime
    is_in_force: bool


_RECORDED = """
    select files.*, coalesce(mapping, '') as mapping,
        admission < ? and (rejected > 0 or refusal is not null) as has_old_rejections
    from files left join file_sources using (log, source_file)
"""


class Files(Store):
    """Loaded log files and acceptances."""

    tables = """
    create table if not exists files (
        log text not null, source_file text not null, log_date text not null, sha256 text not null,
        size integer not null, mtime_ns integer not null, ctime_ns integer not null, inode integer not null,
        noted_ns integer not null,
        refusal text, records integer not null, accepted integer not null, rejected integer not null,
        first_event text, last_event text, unknown_columns text not null, loaded_at text not null,
        admission integer not null default 0,
        primary key (log, source_file)
    );
    create table if not exists file_sources (
        log text not null, source_file text not null, source text not null, mapping text not null,
        not_selected integer not null, primary key (log, source_file)
    );
    create table if not exists lake_contents (place text primary key, size integer not null, sha256 text not null);
    create table if not exists published_quarantine (fingerprint text primary key);
    create table if not exists acceptances (
        log text not null, source_file text not null, sha256 text not null, reason text not null, accepted_at text not null,
        primary key (log, source_file, sha256)
    );
    create table if not exists conflicting_rows (
        log text not null, source_file text not null, number integer not null, primary key (log, source_file)
    );
    create table if not exists indexed_keys (subject text primary key, fingerprint text not null);
    """

    def pending_files(self, files: Iterable[F], *, verify: bool = False) -> list[F]:
        """The files whose content is not the one that was loaded last, or whose source has another mapping now; and those with
        rows that an earlier version of the rules rejected.

        A file is hashed only if its stat differs from the recorded one, or is too fresh to be trusted; with `verify`,
        always. If only the stat has changed, the new one is recorded.
        """
        with self._transaction() as connection:
            recorded = {
                (row["log"], row["source_file"]): row for row in connection.execute(_RECORDED, (ADMISSION_VERSION,))
            }
            pending = []
            for file in files:
                row = recorded.get((file.log, file.source_file))
                try:
                    stat = file.stat()
                    if row is not None and (row["mapping"] != file.mapping_fingerprint or row["has_old_rejections"]):
                        pending.append(file)
                        continue
                    if row is not None and not verify and _stat(row) == stat and not _stat(row).is_fresh:
                        continue
                    sha256 = row and _hash_or_placeholder(file, stat)
                except FileNotFoundError:
                    continue  # gone since the landing zone was scanned: its rows stay in the lake
                if row is None or sha256 != row["sha256"]:
                    pending.append(file)
                elif sha256 != stat.hash_placeholder:
                    connection.execute(
                        "update files set size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?, noted_ns = ?"
                        " where log = ? and source_file = ?",
                        (*vars(stat).values(), file.log, file.source_file),
                    )
            return pending

    def mapped_files(self) -> list[LoadedFile]:
        """The files of sources, but those that no source maps any more."""
        return [file for file in self.files() if file.mapping] if self._value("select 1 from file_sources") else []

    def recorded_stats(self) -> dict[tuple[Log, str], RecordedStat]:
        """By log and name, the stat of each log file when it was loaded."""
        rows = self._rows(_RECORDED, ADMISSION_VERSION)
        with self._reading():
            return {
                (Log(row["log"]), row["source_file"]): RecordedStat(
                    date.fromisoformat(row["log_date"]),
                    _stat(row),
                    row["sha256"] == IN_FLIGHT,
                    row["mapping"],
                    bool(row["has_old_rejections"]),
                )
                for row in rows
            }

    def record_files(
        self, loaded: Iterable[tuple[LoadedFile, FileStat]], checksums: Mapping[Path, Checksum] | None = None
    ) -> None:
        """Records the results of loads, and the checksums of the files that were written, by their keys (`DataPaths.key_of`)."""
        loaded = list(loaded)
        with self._transaction() as connection:
            connection.executemany(
                "insert or replace into lake_contents values (?, ?, ?)",
                [(str(key), checksum.size, checksum.sha256) for key, checksum in (checksums or {}).items()],
            )
            connection.executemany(
                "insert or replace into files values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        file.log, file.source_file, file.log_date, file.sha256, *vars(stat).values(),
                        file.refusal, file.records, file.accepted, file.rejected,
                        file.first_event, file.last_event, json.dumps(file.unknown_columns), file.loaded_at,
                        ADMISSION_VERSION,
                    )
                    for file, stat in loaded
                ],
            )  # fmt: skip
            record_last_contents(
                connection,
                [
                    (file.log, file.source_file, file.sha256, file.loaded_at)
                    for file, _ in loaded
                    if file.sha256 != UNKNOWN_SHA256
                ],
            )
            connection.executemany(
                "delete from file_sources where log = ? and source_file = ?",
                [(file.log, file.source_file) for file, _ in loaded],
            )
            connection.executemany(
                "insert into file_sources values (?, ?, ?, ?, ?)",
                [
                    (file.log, file.source_file, file.source, file.mapping, file.not_selected)
                    for file, _ in loaded
                    if file.source
                ],
            )

    def files(self, log: Log | None = None) -> list[LoadedFile]:
        """The loaded files, of all logs or of one."""
        return self._all(
            LoadedFile,
            "select files.*, acceptances.sha256 is not null as is_accepted, min(coalesce(number, 0), accepted) as conflicting,"
            " coalesce(source, '') as source, coalesce(mapping, '') as mapping, coalesce(not_selected, 0) as not_selected"
            " from files left join acceptances using (log, source_file, sha256)"
            " left join file_sources using (log, source_file)"
            " left join conflicting_rows using (log, source_file)"
            " where ?1 is null or log = ?1 order by log, log_date, source_file",
            log,
        )

    def sizes(self, log: Log, keys: Mapping[str, Path]) -> dict[str, tuple[int, int]]:
        """By log file, its size in bytes when it was last loaded, and that of its file in the lake, which has the given key."""
        loaded = dict(self._rows("select source_file, size from files where log = ?", log))
        in_lake = self.checksums(log)
        return {name: (loaded.get(name, 0), in_lake[key].size if key in in_lake else 0) for name, key in keys.items()}

    def files_fingerprint(self) -> str:
        """A fingerprint of the loaded files and their contents, refused files included."""
        return self._fingerprint("select log, source_file, sha256 from files order by log, source_file")

    def data_until(self) -> date | None:
        """The latest log date with a row in the lake."""
        latest = self._value("select max(log_date) from files where accepted > 0")
        return date.fromisoformat(latest) if latest else None

    def log_dates(self, day: date | None) -> dict[Log, tuple[date | None, int]]:
        """By log, the latest log date with a row in the lake, and the number of rows of a day."""
        rows = self._rows(
            "select log, max(case when accepted > 0 then log_date end),"
            " sum(case when log_date = ? then accepted else 0 end) from files group by log",
            day,
        )
        with self._reading():
            return {Log(log): (date.fromisoformat(latest) if latest else None, count) for log, latest, count in rows}

    def forget_checksums(self, keys: Iterable[Path]) -> None:
        """Deletes the checksums of files that are about to be rewritten."""
        self._execute_many("delete from lake_contents where place = ?", [(str(key),) for key in keys])

    def checksums(self, log: Log | None = None) -> dict[Path, Checksum]:
        """By key, the checksums of the files in lake and quarantine, of all logs or of one; a file of a release before checksums
        has none.
        """
        rows = self._rows(
            "select place, size, sha256 from lake_contents where ?1 is null or place glob '*/' || ?1 || '/*'", log
        )
        return {Path(place): Checksum(size, sha256) for place, size, sha256 in rows}

    def accept(self, log: Log, source_file: str, sha256: str, reason: str) -> None:
        """Records that a person accepts the problems in this content of a file."""
        self._execute(
            "insert or replace into acceptances values (?, ?, ?, ?, ?)", log, source_file, sha256, reason, now()
        )

    def acceptances(self) -> list[Acceptance]:
        """All acceptances, the latest first."""
        return self._all(
            Acceptance,
            "select acceptances.*, files.sha256 is not null as is_in_force from acceptances"
            " left join files using (log, source_file, sha256) order by accepted_at desc, log, source_file",
        )

    def quarantine_fingerprint(self) -> str:
        """A fingerprint of the files that have rows in quarantine, were refused, or have conflicting rows."""
        return self._fingerprint(
            "select log, source_file, sha256, loaded_at, cast(coalesce(number, 0) as text) from files"
            " left join conflicting_rows using (log, source_file)"
            " where rejected > 0 or refusal is not null or number > 0 order by log, source_file"
        )

    def record_conflicting_rows(self, log: Log, rows: Mapping[str, int]) -> None:
        """Records how many rows of each file of a log are conflicting, by its name; of all other files, none."""
        with self._transaction() as connection:
            connection.execute("delete from conflicting_rows where log = ?", (log,))
            connection.executemany(
                "insert into conflicting_rows values (?, ?, ?)", [(log, name, number) for name, number in rows.items()]
            )

    def indexed_keys(self) -> dict[str, str]:
        """The fingerprints of the last update of the index of keys: of the rows of each log, and of the index file."""
        return dict(self._rows("select subject, fingerprint from indexed_keys"))

    def record_indexed_keys(self, fingerprints: Mapping[str, str]) -> None:
        """Replaces the fingerprints of `indexed_keys`."""
        with self._transaction() as connection:
            connection.execute("delete from indexed_keys")
            connection.executemany("insert into indexed_keys values (?, ?)", [*fingerprints.items()])

    def record_published_quarantine(self, fingerprint: str) -> None:
        """Records the fingerprint of the published quarantine database."""
        with self._transaction() as connection:
            connection.execute("delete from published_quarantine")
            connection.execute("insert into published_quarantine values (?)", (fingerprint,))

    def published_quarantine(self) -> str | None:
        """The fingerprint of the published quarantine database; None if there is none."""
        fingerprint: str | None = self._value("select fingerprint from published_quarantine")
        return fingerprint

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Gives the files of 0.3.0 or earlier the version 0 of the rules."""
        super()._migrate(connection)
        if _is_without_admission(connection):
            connection.execute("begin immediate")
            with connection:
                if _is_without_admission(connection):  # still: another process may have been first
                    connection.execute("alter table files add column admission integer not null default 0")

    def _fingerprint(self, query: str) -> str:
        return hashlib.sha256(b"".join("\0".join(row).encode() + b"\n" for row in self._rows(query))).hexdigest()


def _is_without_admission(connection: sqlite3.Connection) -> bool:
    columns = {row["name"] for row in connection.execute("pragma table_info(files)")}
    return bool(columns) and "admission" not in columns


def _hash_or_placeholder(file: SourceFile, stat: FileStat) -> str:
    """The SHA-256 of a file; of one that cannot be read a placeholder, which stays the same as long as its stat does."""
    try:
        return file.sha256()
    except FileNotFoundError:
        raise
    except OSError:
        return stat.hash_placeholder


def _stat(row: sqlite3.Row) -> FileStat:
    return FileStat(row["size"], row["mtime_ns"], row["ctime_ns"], row["inode"], row["noted_ns"])
