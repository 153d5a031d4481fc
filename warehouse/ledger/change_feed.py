"""The open changes of the lake: those that no finished build has used.

Not here: the files of the change feed (`warehouse.lake.change_feed`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath

from models.enums import Log
from warehouse.ledger.files import IN_FLIGHT, UNKNOWN_SHA256, LogFile
from warehouse.ledger.replacements import keep_last_contents
from warehouse.ledger.store import Store, now


@dataclass(frozen=True)
class Change:
    """A file of the lake that was added, replaced or removed; and its previous version in the change feed's folder."""

    change_id: int
    log: Log
    path: str
    replaced: str | None


class ChangeFeed(Store):
    """Added, replaced and removed files of the lake."""

    tables = """
    create table if not exists changes (
        change_id integer primary key autoincrement, log text not null, place text not null, replaced text,
        noted_at text not null
    );
    """

    def record_changes(self, changes: Iterable[tuple[LogFile, PurePath, Path | None]]) -> None:
        """Records that files of the lake are about to change: the log file, its path in the lake, its previous version.

        Until `record_files` records the result of the load, these log files count as pending, even if their content is the
        one that was loaded last.
        """
        changes = list(changes)
        with self._transaction() as connection:
            connection.executemany(
                "insert into changes (log, place, replaced, noted_at) values (?, ?, ?, ?)",
                [(file.log, str(path), replaced and str(replaced), now()) for file, path, replaced in changes],
            )
            names = [(file.log, file.source_file) for file, _, _ in changes]
            keep_last_contents(connection, names, (IN_FLIGHT, UNKNOWN_SHA256))
            connection.executemany(
                "update files set sha256 = ?, noted_ns = 0 where log = ? and source_file = ?",
                [(IN_FLIGHT, *name) for name in names],
            )
            connection.executemany(
                "delete from lake_contents where place = ?",
                [(f"{root}/{path}",) for _, path, _ in changes for root in ("lake", "quarantine")],
            )

    def open_changes(self) -> list[Change]:
        """The changes that no finished build has used, in order."""
        return self._all(Change, "select *, place as path from changes order by change_id")

    def last_change(self) -> tuple[int, datetime] | None:
        """The id of the latest open change, and when it was recorded."""
        rows = self._rows("select change_id, noted_at from changes order by change_id desc limit 1")
        return next(((change_id, datetime.fromisoformat(noted_at)) for change_id, noted_at in rows), None)
