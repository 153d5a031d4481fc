"""What is noted of log files: which content was taken, what it gave, what a person accepted; and of the files in lake
and quarantine that hold their rows.

Not here: changes that no build has used yet (`warehouse.ledger.change_feed`).
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from models.enums import Log
from warehouse.landing import FileStat, LandingFile
from warehouse.ledger.store import Store, now
from warehouse.storage import Checksum

IN_FLIGHT = ""
"""Stands for the SHA-256 of a log file that is being taken: until it is noted what came of it, it counts as pending_files."""

UNKNOWN_SHA256 = "not known"
"""Stands for the SHA-256 of a log file that nobody can look at any more, while the lake holds what it gave."""

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


@dataclass(frozen=True)
class LoadedFile:
    """What was taken of one log file, or why it was refused. `is_accepted`: a person accepted this content."""

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
    """How a log file looked when it was taken; `is_in_flight`: it was not noted what came of that."""

    log_date: date
    stat: FileStat
    is_in_flight: bool


@dataclass(frozen=True)
class Acceptance:
    """What a person accepted of a content of a file, and why; `is_in_force` while the file still has that content."""

    log: Log
    source_file: str
    reason: str
    accepted_at: datetime
    is_in_force: bool


class Files(Store):
    """Log files, what they gave, and what people said of them."""

    def pending_files(self, files: Iterable[LandingFile], *, verify: bool = False) -> list[LandingFile]:
        """Of these files, those whose content is not what was taken last.

        A file is hashed only where the file system's stamp differs from what was noted, or cannot be trusted; with
        `verify`, always. A stamp that changed over the same content is noted anew.
        """
        with self._transaction() as connection:
            noted = {(row["log"], row["source_file"]): row for row in connection.execute("select * from files")}
            pending_files = []
            for file in files:
                row = noted.get((file.log, file.source_file))
                try:
                    stat = file.stat()
                    if row is not None and not verify and _stat(row) == stat and not _stat(row).is_fresh:
                        continue
                    found = row and _hash_or_placeholder(file, stat)
                except FileNotFoundError:
                    continue  # gone since the landing zone was looked at: it keeps what it gave
                if row is None or found != row["sha256"]:
                    pending_files.append(file)
                elif found != stat.hash_placeholder:
                    self._record_stat(connection, file, stat)
            return pending_files

    def _record_stat(self, connection: sqlite3.Connection, file: LandingFile, stat: FileStat) -> None:
        connection.execute(
            "update files set size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?, noted_ns = ?"
            " where log = ? and source_file = ?",
            (stat.size, stat.mtime_ns, stat.ctime_ns, stat.inode, stat.observed_ns, file.log, file.source_file),
        )

    def recorded_stats(self) -> dict[tuple[Log, str], RecordedStat]:
        """How each log file looked when it was taken, by log and name."""
        with self._transaction() as connection:
            return {
                (Log(row["log"]), row["source_file"]): RecordedStat(
                    date.fromisoformat(row["log_date"]), _stat(row), row["sha256"] == IN_FLIGHT
                )
                for row in connection.execute("select * from files")
            }

    def record_files(
        self, loaded: Iterable[tuple[LoadedFile, FileStat]], contents: Mapping[Path, Checksum] | None = None
    ) -> None:
        """Notes what was taken of files, in place of what was noted of them before; and what the files of lake and
        quarantine hold that were written for it, by their places in the data folder.
        """
        with self._transaction() as connection:
            _note_contents(connection, contents or {})
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
        """What is noted of all files, or of those of one log."""
        with self._transaction() as connection:
            rows = connection.execute(
                "select files.*, acceptances.sha256 is not null as is_accepted from files"
                " left join acceptances using (log, source_file, sha256)"
                " where ?1 is null or log = ?1 order by log, log_date, source_file",
                (log,),
            )
            return [_loaded_file(row) for row in rows]

    def sizes(self, log: Log, places: Mapping[str, Path]) -> dict[str, tuple[int, int]]:
        """By log file, of those with these places in the data folder: its bytes when it was looked at last, and what the
        lake holds of it.
        """
        with self._transaction() as connection:
            return {
                name: tuple(
                    connection.execute(
                        "select coalesce((select size from files where (log, source_file) = (?, ?)), 0),"
                        " coalesce((select size from lake_contents where place = ?), 0)",
                        (log, name, str(path)),
                    ).fetchone()
                )
                for name, path in places.items()
            }

    def files_fingerprint(self) -> str:
        """Which content of which files was looked at, in one word. Refused files count: a build knows what it lacks."""
        with self._transaction() as connection:
            return _fingerprint(
                connection.execute("select log, source_file, sha256 from files order by log, source_file")
            )

    def data_until(self) -> date | None:
        """The latest log date of which the lake holds a row."""
        with self._transaction() as connection:
            (latest,) = connection.execute("select max(log_date) from files where accepted > 0").fetchone()
            return date.fromisoformat(latest) if latest else None

    def log_dates(self, day: date | None) -> dict[Log, tuple[date | None, int]]:
        """By log, the latest log date of which the lake holds a row, and the rows of a day."""
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

    def record_checksums(self, contents: Mapping[Path, Checksum]) -> None:
        """Notes what files of lake and quarantine hold, by their places in the data folder."""
        with self._transaction() as connection:
            _note_contents(connection, contents)

    def forget_checksums(self, places: Iterable[Path]) -> None:
        """Forgets what files of lake and quarantine held: they are about to be written anew."""
        with self._transaction() as connection:
            connection.executemany("delete from lake_contents where place = ?", [(str(path),) for path in places])

    def checksums(self) -> dict[Path, Checksum]:
        """What the files of lake and quarantine held when they were written, by their places in the data folder; nothing
        of those that an older release wrote.
        """
        with self._transaction() as connection:
            rows = connection.execute("select * from lake_contents")
            return {Path(row["place"]): Checksum(row["size"], row["sha256"]) for row in rows}

    def accept(self, log: Log, source_file: str, sha256: str, reason: str) -> None:
        """Notes that a person accepts what was found in this content of this file."""
        with self._transaction() as connection:
            connection.execute(
                "insert or replace into acceptances values (?, ?, ?, ?, ?)",
                (log, source_file, sha256, reason, now().isoformat()),
            )

    def acceptances(self) -> list[Acceptance]:
        """What persons have accepted, the latest first."""
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
        """Which files have rows in quarantine, or were refused, in one word."""
        with self._transaction() as connection:
            return _fingerprint(
                connection.execute(
                    "select log, source_file, sha256, loaded_at from files where rejected > 0 or refusal is not null"
                    " order by log, source_file"
                )
            )

    def record_published_quarantine(self, fingerprint: str) -> None:
        """Notes that the published quarantine holds what this fingerprint stands for."""
        with self._transaction() as connection:
            connection.execute("delete from published_quarantine")
            connection.execute("insert into published_quarantine values (?)", (fingerprint,))

    def published_quarantine(self) -> str | None:
        """The fingerprint of what the published quarantine holds."""
        with self._transaction() as connection:
            row = connection.execute("select * from published_quarantine").fetchone()
            return row and row["fingerprint"]


def _note_contents(connection: sqlite3.Connection, contents: Mapping[Path, Checksum]) -> None:
    connection.executemany(
        "insert or replace into lake_contents values (?, ?, ?)",
        [(str(path), checksum.size, checksum.sha256) for path, checksum in contents.items()],
    )


def _fingerprint(rows: Iterable[sqlite3.Row]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update("\0".join(row).encode() + b"\n")
    return digest.hexdigest()


def _hash_or_placeholder(file: LandingFile, stat: FileStat) -> str:
    """What is noted of a file's content; of one that cannot be read, there is nothing new as long as its stamp stays."""
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
