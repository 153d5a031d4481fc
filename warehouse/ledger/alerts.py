"""Alerts, sent or pending, and alarms: the problems that receivers were alerted to and that have not ended.

Not here: when an alert is raised, and how it is sent (`orchestration.notifications`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from warehouse.ledger.store import Store, now

GIVEN_UP_AFTER = timedelta(days=7)
"""An alert that could not be sent for this long is deleted."""

_END_ALARM = "delete from alarms where kind = ? and subject = ?"


@dataclass(frozen=True)
class Alert:
    """A message to the receivers, sent once per occasion."""

    title: str
    occasion: str
    body: str


class Alerts(Store):
    """Alarms and alerts."""

    tables = """
    create table if not exists alarms (
        kind text not null, subject text not null, since text not null,
        primary key (kind, subject)
    );
    create table if not exists alerts (
        title text not null, occasion text not null, body text not null, raised_at text not null, sent_at text,
        primary key (title, occasion)
    );
    """

    def alarms(self, kind: str) -> dict[str, datetime]:
        """The open alarms of a kind: by subject, the time since which it holds."""
        rows = self._rows("select subject, since from alarms where kind = ? order by subject", kind)
        return {subject: datetime.fromisoformat(since) for subject, since in rows}

    def raise_alert(
        self, alert: Alert, kind: str, *, begins: Iterable[str] = (), ends: Iterable[str] = (), since: datetime
    ) -> None:
        """Records an alert to send, unless there is one for this occasion; and the alarms that begin or end with it."""
        with self._transaction() as connection:
            connection.execute(
                "insert or ignore into alerts values (?, ?, ?, ?, null)",
                (alert.title, alert.occasion, alert.body, now()),
            )
            begun = [(kind, subject, since) for subject in begins]
            connection.executemany("insert or ignore into alarms values (?, ?, ?)", begun)
            connection.executemany(_END_ALARM, [(kind, subject) for subject in ends])

    def end_alarms(self, kind: str, subjects: Iterable[str]) -> None:
        """Ends alarms without an alert."""
        self._execute_many(_END_ALARM, [(kind, subject) for subject in subjects])

    def unsent_alerts(self) -> list[Alert]:
        """The alerts to send, in the order in which they were raised."""
        self._execute("delete from alerts where sent_at is null and raised_at < ?", now() - GIVEN_UP_AFTER)
        return self._all(Alert, "select * from alerts where sent_at is null order by rowid")

    def record_sent(self, alert: Alert) -> None:
        self._execute(
            "update alerts set sent_at = ? where title = ? and occasion = ?", now(), alert.title, alert.occasion
        )
