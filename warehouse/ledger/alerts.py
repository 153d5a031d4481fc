"""Alerts, sent or pending, and alarms: the problems that receivers were alerted to and that have not ended.

Not here: when an alert is raised, and how it is sent (`orchestration.notifications`).
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from warehouse.ledger.store import Store, now

GIVEN_UP_AFTER = timedelta(days=7)
"""An alert that could not be sent for this long is deleted."""

SCHEMA = """
create table if not exists alarms (
    kind text not null, subject text not null, since text not null,
    primary key (kind, subject)
);
create table if not exists alerts (
    title text not null, occasion text not null, body text not null, raised_at text not null, sent_at text,
    primary key (title, occasion)
);
"""


@dataclass(frozen=True)
class Alert:
    """A message to the receivers, sent once per occasion."""

    title: str
    occasion: str
    body: str


class Alerts(Store):
    """Alarms and alerts."""

    def alarms(self, kind: str) -> dict[str, datetime]:
        """The open alarms of a kind: by subject, the time since which it holds."""
        with self._transaction() as connection:
            rows = connection.execute("select * from alarms where kind = ? order by subject", (kind,))
            return {row["subject"]: datetime.fromisoformat(row["since"]) for row in rows}

    def raise_alert(
        self, alert: Alert, kind: str, *, begins: Iterable[str] = (), ends: Iterable[str] = (), since: datetime
    ) -> None:
        """Records an alert to send, unless there is one for this occasion; and the alarms that begin or end with it."""
        with self._transaction() as connection:
            connection.execute(
                "insert or ignore into alerts values (?, ?, ?, ?, null)",
                (alert.title, alert.occasion, alert.body, now().isoformat()),
            )
            connection.executemany(
                "insert or ignore into alarms values (?, ?, ?)",
                [(kind, subject, since.isoformat()) for subject in begins],
            )
            _end(connection, kind, ends)

    def end_alarms(self, kind: str, subjects: Iterable[str]) -> None:
        """Ends alarms without an alert."""
        with self._transaction() as connection:
            _end(connection, kind, subjects)

    def unsent_alerts(self) -> list[Alert]:
        """The alerts to send, in the order in which they were raised."""
        with self._transaction() as connection:
            expired_before = (now() - GIVEN_UP_AFTER).isoformat()
            connection.execute("delete from alerts where sent_at is null and raised_at < ?", (expired_before,))
            rows = connection.execute("select * from alerts where sent_at is null order by rowid")
            return [Alert(row["title"], row["occasion"], row["body"]) for row in rows]

    def record_sent(self, alert: Alert) -> None:
        with self._transaction() as connection:
            connection.execute(
                "update alerts set sent_at = ? where title = ? and occasion = ?",
                (now().isoformat(), alert.title, alert.occasion),
            )


def _end(connection: sqlite3.Connection, kind: str, subjects: Iterable[str]) -> None:
    connection.executemany(
        "delete from alarms where kind = ? and subject = ?", [(kind, subject) for subject in subjects]
    )
