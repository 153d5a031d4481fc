"""Changes of the lake that no finished build has used yet (`warehouse.lake.change_feed`)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from models.enums import Log
from warehouse.landing import LandingFile
from warehouse.ledger.files import IN_FLIGHT
from warehouse.ledger.store import Store, now

SCHEMA = """
create table if not exists changes (
    change_id integer primary key autoincrement, log text not null, place text not null, replaced text,
    noted_at text not null
);
"""


@dataclass(frozen=True)
class Change:
    """A file of the lake that came, changed or went: `place` in the lake, and `replaced` in the change feed's folder,
    what it held before.
    """

    change_id: int
    log: Log
    path: str
    replaced: str | None


class ChangeFeed(Store):
    """Files of the lake that came, changed or went."""

    def record_changes(self, changes: Iterable[tuple[LandingFile, Path, Path | None]]) -> None:
        """Notes that files of the lake are about to change: the log file, its place, what it holds so far.

        Until it is noted what was taken of them, they count as pending_files, even where they become again what they were.
        """
        changes = list(changes)
        with self._transaction() as connection:
            connection.executemany(
                "insert into changes (log, place, replaced, noted_at) values (?, ?, ?, ?)",
                [
                    (file.log, str(path), str(replaced) if replaced else None, now().isoformat())
                    for file, path, replaced in changes
                ],
            )
            connection.executemany(
                "update files set sha256 = ?, noted_ns = 0 where log = ? and source_file = ?",
                [(IN_FLIGHT, file.log, file.source_file) for file, _, _ in changes],
            )
            connection.executemany(
                "delete from lake_contents where place = ?",
                [(f"{root}/{path}",) for _, path, _ in changes for root in ("lake", "quarantine")],
            )

    def open_changes(self) -> list[Change]:
        """The changes that no finished build has used yet, in order."""
        with self._transaction() as connection:
            rows = connection.execute("select * from changes order by change_id")
            return [Change(row["change_id"], Log(row["log"]), row["place"], row["replaced"]) for row in rows]

    def last_change(self) -> tuple[int, datetime] | None:
        """The number of the latest change that no finished build has used yet, and when it was noted."""
        with self._transaction() as connection:
            row = connection.execute("select * from changes order by change_id desc limit 1").fetchone()
            return row and (row["change_id"], datetime.fromisoformat(row["noted_at"]))
