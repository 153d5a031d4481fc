"""Refresh runs and their outcomes."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from warehouse.ledger.store import Store

SCHEMA = """
create table if not exists refreshes (
    started_at text primary key, finished_at text not null, outcome text not null, message text not null
);
"""


@dataclass(frozen=True)
class Refresh:
    """A refresh. `outcome` is `published`, `nothing new`, `held back` or `failed`; `not finished` while it runs."""

    started_at: datetime
    finished_at: datetime
    outcome: str
    message: str


class Runs(Store):
    """Refreshes, in the order in which they were recorded."""

    def record_run(self, refresh: Refresh) -> None:
        with self._transaction() as connection:
            connection.execute(
                "insert or replace into refreshes values (?, ?, ?, ?)",
                (refresh.started_at.isoformat(), refresh.finished_at.isoformat(), refresh.outcome, refresh.message),
            )

    def last_end(self) -> datetime | None:
        """When the last finished refresh ended, by the clock of that time."""
        with self._transaction() as connection:
            row = connection.execute(
                "select finished_at from refreshes where outcome <> 'not finished' order by rowid desc limit 1"
            ).fetchone()
            return row and datetime.fromisoformat(row["finished_at"])

    def last_good_refresh(self) -> Refresh | None:
        """The last refresh that published, or found nothing new."""
        with self._transaction() as connection:
            row = connection.execute(
                "select * from refreshes where outcome in ('published', 'nothing new') order by rowid desc limit 1"
            ).fetchone()
            return row and _refresh(row)

    def last_refresh(self) -> Refresh | None:
        with self._transaction() as connection:
            # By order of recording, not by time: the clock may have jumped.
            row = connection.execute("select * from refreshes order by rowid desc limit 1").fetchone()
            return row and _refresh(row)


def _refresh(row: sqlite3.Row) -> Refresh:
    return Refresh(
        datetime.fromisoformat(row["started_at"]),
        datetime.fromisoformat(row["finished_at"]),
        row["outcome"],
        row["message"],
    )
