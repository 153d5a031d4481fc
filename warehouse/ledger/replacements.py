"""Replaced log files: whose content is another one than before, and since when.

Not here: the rows of earlier contents, which nothing keeps once a build has used the change (`warehouse.lake.change_feed`).
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from models.enums import Log
from warehouse.ledger.store import Store


@dataclass(frozen=True)
class Replacement:
    """A log file whose content was replaced, for the last time at `replaced_at` (UTC)."""

    log: Log
    source_file: str
    log_date: date
    replaced_at: datetime


class Replacements(Store):
    """The last content of each log file that was ever loaded again, and when it replaced another."""

    tables = """
    create table if not exists last_contents (
        log text not null, source_file text not null, sha256 text not null, replaced_at text,
        primary key (log, source_file)
    );
    """

    def replacements(self, until: date) -> list[Replacement]:
        """The replaced files of the log dates up to a day, whose last content came after the end of this day (UTC)."""
        replaced = self._all(
            Replacement,
            "select log, source_file, log_date, replaced_at from last_contents join files using (log, source_file)"
            " where log_date <= ? and replaced_at is not null order by replaced_at, log, source_file",
            until,
        )
        return [replacement for replacement in replaced if replacement.replaced_at.date() > until]


def keep_last_contents(
    connection: sqlite3.Connection, files: Iterable[tuple[Log, str]], unsettled: Iterable[str]
) -> None:
    """Copies the SHA-256 of files that are about to be loaded again, unless it is one of `unsettled`, which names no content."""
    names = ", ".join(f"'{name}'" for name in unsettled)
    connection.executemany(
        "insert or ignore into last_contents select log, source_file, sha256, null from files"
        f" where log = ? and source_file = ? and sha256 not in ({names})",
        files,
    )


def record_last_contents(connection: sqlite3.Connection, contents: Iterable[tuple[Log, str, str, datetime]]) -> None:
    """Records log, name, SHA-256 and time of loads. A file that was not loaded before needs no entry."""
    connection.executemany(
        "update last_contents set sha256 = ?3, replaced_at = ?4 where log = ?1 and source_file = ?2 and sha256 <> ?3",
        contents,
    )
