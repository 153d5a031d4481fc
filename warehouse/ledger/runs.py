"""Refresh runs and their outcomes."""

from dataclasses import dataclass
from datetime import datetime

from warehouse.ledger.store import Store

GOOD_OUTCOMES = ("published", "nothing new")


@dataclass(frozen=True)
class Refresh:
    """A refresh. `outcome` is `published`, `nothing new`, `held back`, `failed` or `interrupted`, and `not finished` while it
    runs.
    """

    started_at: datetime
    finished_at: datetime
    outcome: str
    message: str

    @property
    def is_good(self) -> bool:
        """Whether the published build is up to date."""
        return self.outcome in GOOD_OUTCOMES


class Runs(Store):
    """Refreshes, in the order in which they were recorded: the clock may have jumped."""

    tables = """
    create table if not exists refreshes (
        started_at text primary key, finished_at text not null, outcome text not null, message text not null
    );
    """

    def record_run(self, refresh: Refresh) -> None:
        self._execute("insert or replace into refreshes values (?, ?, ?, ?)", *vars(refresh).values())

    def last_end(self) -> datetime | None:
        """When the last finished refresh ended, by the clock of that time."""
        last = self._last_refresh("outcome <> 'not finished'")
        return last.finished_at if last else None

    def last_good_refresh(self) -> Refresh | None:
        """The last refresh that published, or found nothing new."""
        return self._last_refresh(f"outcome in {GOOD_OUTCOMES}")

    def last_refresh(self) -> Refresh | None:
        return self._last_refresh("true")

    def _last_refresh(self, condition: str) -> Refresh | None:
        return self._first(Refresh, f"select * from refreshes where {condition} order by rowid desc limit 1")
