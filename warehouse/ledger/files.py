"""Loaded log files: content hash, row counts and acceptances; and the checksums of their files in lake and quarantine.

Not here: the changes that no build has used yet (`warehouse.ledger.change_feed`).
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from models.enums import Log
from warehouse.ledger.store import Store, now
from warehouse.storage import Checksum, FileStat

IN_FLIGHT = ""
"""In place of the SHA-256 while a log file is being loaded: until the load is recorded, the file counts as pending."""

UNKNOWN_SHA256 = "not known"
"""In place of the SHA-256 of a log file that is gone, while the lake holds its rows."""

SCHEMA = """
create table if not exists files (
    log text not null, source_file text not null, log_date text not null, sha256 text not null,
    size integer not null, mtime_ns integer not null, ctime_ns integer not null, inode integer not null,
    noted_ns integer not null,
    refusal text, records integer not null, accepted integer not null, rejected integer not null,
    first_event text, last_event text, unknown_columns text not null, loaded_at text not null,
    primary key (log, source_file)
);
create table if not exists lake_contents (place text primary key, size integer not null, sha256 text not null);
create table if not exists published_quarantine (fingerprint text primary key);
create table if not exists acceptances (
    log text not null, source_file text not null, sha256 text not null, reason text not null, accepted_at text not null,
    primary key (log, source_file, sha256)
);
"""


class LogFile(Protocol):
    """What identifies a log file in the ledger."""

    @property
    def log(self) -> Log: ...

    @property
    def source_file(self) -> str: ...


class SourceFile(LogFile, Protocol):
    """A log file that can be read (`warehouse.landing.LandingFile`)."""

    def stat(self) -> FileStat: ...

    def sha256(self) -> str: ...


F = TypeVar("F", bound=SourceFile)


@dataclass(frozen=True)
class LoadedFile:
    """The result of loading one log file: its row counts, or the reason it was refused.

    `is_accepted`: a person accepted this content (`sendmart accept`).
    """

    log: Log
    source_file: str
    log_date: date
    sha256: str
    refusal: str | None
    records: int
    accepted: int
    rejected: int
    first_event: str | None
    last_event: str | None
    unknown_columns: tuple[str, ...]
    loaded_at: datetime
    is_accepted: bool = False


@dataclass(frozen=True)
class RecordedStat:
    """The stat of a log file when it was loaded; `is_in_flight`: the result of the load is not recorded."""

    log_date: date
    stat: FileStat
    is_in_flight: bool


@dataclass(frozen=True)
class Acceptance:
    """The acceptance of one content of a log file; `is_in_force` while the file still has that content."""

    log: Log
    source_file: str
    reason: str
    accepted_at: datetime
    is_in_force: bool


class Files(Store):
    """Loaded log files and acceptances."""

    def pending_files(self, files: Iterable[F], *, verify: bool = False) -> list[F]:
        """The files whose content is not the one that was loaded last.

        A file is hashed only if its stat differs from the recorded one, or is too fresh to be trusted; with `verify`,
        always. If only the stat has changed, the new one is recorded.
        """
        with self._transaction() as connection:
            recorded = {(row["log"], row["source_file"]): row for row in connection.execute("select * from files")}
            pending = []
            for file in files:
                row = recorded.get((file.log, file.source_file))
                try:
                    stat = file.stat()
                    if row is not None and not verify and _stat(row) == stat and not _stat(row).is_fresh:
                        continue
                    sha256 = row and _hash_or_placeholder(file, stat)
                except FileNotFoundError:
                    continue  # gone since the landing zone was scanned: its rows stay in the lake
                if row is None or sha256 != row["sha256"]:
                    pending.append(file)
                elif sha256 != stat.hash_placeholder:
                    self._record_stat(connection, file, stat)
            return pending

    def _record_stat(self, connection: sqlite3.Connection, file: LogFile, stat: FileStat) -> None:
        connection.execute(
            "update files set size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?, noted_ns = ?"
            " where log = ? and source_file = ?",
            (stat.size, stat.mtime_ns, stat.ctime_ns, stat.inode, stat.observed_ns, file.log, file.source_file),
        )

    def recorded_stats(self) -> dict[tuple[Log, str], RecordedStat]:
        """By log and name, the stat of each log file when it was loaded."""
        with self._transaction() as connection:
            return {
                (Log(row["log"]), row["source_file"]): RecordedStat(
                    date.fromisoformat(row["log_date"]), _stat(row), row["sha256"] == IN_FLIGHT
                )
                for row in connection.execute("select * from files")
            }

    def record_files(
        self, loaded: Iterable[tuple[LoadedFile, FileStat]], checksums: Mapping[Path, Checksum] | None = None
    ) -> None:
        """Records the results of loads, in place of earlier ones of the same files; and the checksums of the files that
        were written for them, by their keys (`DataPaths.key_of`).
        """
        with self._transaction() as connection:
            _insert_checksums(connection, checksums or {})
            connection.executemany(
                "insert or replace into files values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        file.log, file.source_file, file.log_date.isoformat(), file.sha256,
                        stat.size, stat.mtime_ns, stat.ctime_ns, stat.inode, stat.observed_ns,
                        file.refusal, file.records, file.accepted, file.rejected,
                        file.first_event, file.last_event, json.dumps(file.unknown_columns), file.loaded_at.isoformat(),
                    )
                    for file, stat in loaded
                ],
            )  # fmt: skip

    def files(self, log: Log | None = None) -> list[LoadedFile]:
        """The loaded files, of all logs or of one."""
        with self._transaction() as connection:
            rows = connection.execute(
                "select files.*, acceptances.sha256 is not null as is_accepted from files"
                " left join acceptances using (log, source_file, sha256)"
                " where ?1 is null or log = ?1 order by log, log_date, source_file",
                (log,),
            )
            return [_loaded_file(row) for row in rows]

    def sizes(self, log: Log, keys: Mapping[str, Path]) -> dict[str, tuple[int, int]]:
        """By log file, its size in bytes when it was last loaded, and the size of its file in the lake, which has the key
        given for it.
        """
        with self._transaction() as connection:
            return {
                name: tuple(
                    connection.execute(
                        "select coalesce((select size from files where (log, source_file) = (?, ?)), 0),"
                        " coalesce((select size from lake_contents where place = ?), 0)",
                        (log, name, str(key)),
                    ).fetchone()
                )
                for name, key in keys.items()
            }

    def files_fingerprint(self) -> str:
        """A fingerprint of the loaded files and their contents, refused files included."""
        with self._transaction() as connection:
            return _fingerprint(
                connection.execute("select log, source_file, sha256 from files order by log, source_file")
            )

    def data_until(self) -> date | None:
        """The latest log date with a row in the lake."""
        with self._transaction() as connection:
            (latest,) = connection.execute("select max(log_date) from files where accepted > 0").fetchone()
            return date.fromisoformat(latest) if latest else None

    def log_dates(self, day: date | None) -> dict[Log, tuple[date | None, int]]:
        """By log, the latest log date with a row in the lake, and the number of rows of a day."""
        with self._transaction() as connection:
            rows = connection.execute(
                "select log, max(case when accepted > 0 then log_date end) as latest,"
                " sum(case when log_date = ? then accepted else 0 end) as rows_of_day from files group by log",
                (day.isoformat() if day else None,),
            )
            return {
                Log(row["log"]): (date.fromisoformat(row["latest"]) if row["latest"] else None, row["rows_of_day"])
                for row in rows
            }

    def record_checksums(self, checksums: Mapping[Path, Checksum]) -> None:
        """Records the checksums of files in lake and quarantine, by their keys."""
        with self._transaction() as connection:
            _insert_checksums(connection, checksums)

    def forget_checksums(self, keys: Iterable[Path]) -> None:
        """Deletes the checksums of files that are about to be rewritten."""
        with self._transaction() as connection:
            connection.executemany("delete from lake_contents where place = ?", [(str(key),) for key in keys])

    def checksums(self) -> dict[Path, Checksum]:
        """By key, the checksums of the files in lake and quarantine when they were written; a file that a release before
        checksums wrote has none.
        """
        with self._transaction() as connection:
            rows = connection.execute("select * from lake_contents")
            return {Path(row["place"]): Checksum(row["size"], row["sha256"]) for row in rows}

    def accept(self, log: Log, source_file: str, sha256: str, reason: str) -> None:
        """Records that a person accepts the problems in this content of a file."""
        with self._transaction() as connection:
            connection.execute(
                "insert or replace into acceptances values (?, ?, ?, ?, ?)",
                (log, source_file, sha256, reason, now().isoformat()),
            )

    def acceptances(self) -> list[Acceptance]:
        """All acceptances, the latest first."""
        with self._transaction() as connection:
            rows = connection.execute(
                "select acceptances.*, files.sha256 is not null as is_in_force from acceptances"
                " left join files using (log, source_file, sha256) order by accepted_at desc, log, source_file"
            )
            return [
                Acceptance(
                    Log(row["log"]),
                    row["source_file"],
                    row["reason"],
                    datetime.fromisoformat(row["accepted_at"]),
                    bool(row["is_in_force"]),
                )
                for row in rows
            ]

    def quarantine_fingerprint(self) -> str:
        """A fingerprint of the files that have rows in quarantine or were refused."""
        with self._transaction() as connection:
            return _fingerprint(
                connection.execute(
                    "select log, source_file, sha256, loaded_at from files where rejected > 0 or refusal is not null"
                    " order by log, source_file"
                )
            )

    def record_published_quarantine(self, fingerprint: str) -> None:
        """Records the fingerprint of the published quarantine database."""
        with self._transaction() as connection:
            connection.execute("delete from published_quarantine")
            connection.execute("insert into published_quarantine values (?)", (fingerprint,))

    def published_quarantine(self) -> str | None:
        """The fingerprint of the published quarantine database; None if there is none."""
        with self._transaction() as connection:
            row = connection.execute("select * from published_quarantine").fetchone()
            return str(row["fingerprint"]) if row else None


def _insert_checksums(connection: sqlite3.Connection, checksums: Mapping[Path, Checksum]) -> None:
    connection.executemany(
        "insert or replace into lake_contents values (?, ?, ?)",
        [(str(key), checksum.size, checksum.sha256) for key, checksum in checksums.items()],
    )


def _fingerprint(rows: Iterable[sqlite3.Row]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update("\0".join(row).encode() + b"\n")
    return digest.hexdigest()


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


def _loaded_file(row: sqlite3.Row) -> LoadedFile:
    return LoadedFile(
        log=Log(row["log"]),
        source_file=row["source_file"],
        log_date=date.fromisoformat(row["log_date"]),
        sha256=row["sha256"],
        refusal=row["refusal"],
        records=row["records"],
        accepted=row["accepted"],
        rejected=row["rejected"],
        first_event=row["first_event"],
        last_event=row["last_event"],
        unknown_columns=tuple(json.loads(row["unknown_columns"])),
        loaded_at=datetime.fromisoformat(row["loaded_at"]),
        is_accepted=bool(row["is_accepted"]),
    )
