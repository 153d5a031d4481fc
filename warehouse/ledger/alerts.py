"""What people were told: alerts, sent or still to be sent; and alarms, which is what is wrong as far as they know.

Not here: what is worth an alert, and how it reaches people (`orchestration.notifications`).
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from warehouse.ledger.store import Store, now

GIVEN_UP_AFTER = timedelta(days=7)
"""What could not be sent for so long is no news any more."""

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
    """Something to tell people, once for an occasion."""

    title: str
    occasion: str
    body: str


class Alerts(Store):
    """Alarms and alerts."""

    def alarms(self, kind: str) -> dict[str, datetime]:
        """What is wrong of a kind, as people were told, and since when."""
        with self._transaction() as connection:
            rows = connection.execute("select * from alarms where kind = ? order by subject", (kind,))
            return {row["subject"]: datetime.fromisoformat(row["since"]) for row in rows}

    def raise_alert(
        self, alert: Alert, kind: str, *, begins: Iterable[str] = (), ends: Iterable[str] = (), since: datetime
    ) -> None:
        """Notes an alert to be sent, unless it was for this occasion before; and which alarms begin or end with it."""
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
        """Notes that nobody waits for these any more."""
        with self._transaction() as connection:
            _end(connection, kind, subjects)

    def unsent_alerts(self) -> list[Alert]:
        """What is still to be sent, in the order in which it was raised."""
        with self._transaction() as connection:
            given_up = (now() - GIVEN_UP_AFTER).isoformat()
            connection.execute("delete from alerts where sent_at is null and raised_at < ?", (given_up,))
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
