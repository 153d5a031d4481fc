"""Publications, rollbacks and overrides of the release gate."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from warehouse.ledger.store import Store, now

_PUBLICATIONS = """create table if not exists publications (
    publication integer primary key autoincrement, build_id text not null, published_at text not null,
    went_back_from text
);
"""


@dataclass(frozen=True)
class Publication:
    """A publication of a build; `rolled_back_from` is the build that was published before, if this is a rollback."""

    build_id: str
    published_at: datetime
    rolled_back_from: str | None


@dataclass(frozen=True)
class Override:
    """An override of the release gate for a build: the reason, and the texts of the problems that were overridden."""

    build_id: str
    reason: str
    overridden: tuple[str, ...]
    overridden_at: datetime


_SELECT = "select *, went_back_from as rolled_back_from from publications"


class Publications(Store):
    """Publications, rollbacks and overrides."""

    tables = f"""
    {_PUBLICATIONS}
    create table if not exists overrides (
        override integer primary key autoincrement, build_id text not null, reason text not null, overridden text not null,
        overridden_at text not null
    );
    """

    def record_publication(self, build_id: str, published_at: datetime, rolled_back_from: str | None = None) -> None:
        self._execute(
            "insert into publications (build_id, published_at, went_back_from) values (?, ?, ?)",
            build_id, published_at, rolled_back_from,
        )  # fmt: skip

    def publications(self) -> list[Publication]:
        """All publications in order; a build that was published again, by a rollback or otherwise, occurs again."""
        return self._all(Publication, f"{_SELECT} order by publication")

    def published_since(self, moment: datetime) -> str | None:
        """The build that was published last after a moment (UTC), rollbacks not counted; None if there is none."""
        since = [one.build_id for one in self.publications() if one.published_at > moment and not one.rolled_back_from]
        return since[-1] if since else None

    def last_publication(self) -> tuple[str, datetime] | None:
        """The build that was published last, and when."""
        last = self._first(Publication, f"{_SELECT} order by publication desc limit 1")
        return (last.build_id, last.published_at) if last else None

    def withdrawal(self, build_id: str) -> Publication | None:
        """The last rollback from a build or one with the same inputs, unless such a build was published again afterwards."""
        return self._first(
            Publication,
            "with same_inputs as ("
            " select build_id from builds where inputs = (select inputs from builds where build_id = ?1)"
            f" ), latest as ({_SELECT} where build_id in same_inputs or went_back_from in same_inputs"
            " order by publication desc limit 1)"
            " select * from latest where went_back_from in same_inputs and build_id <> ?1",
            build_id,
        )

    def override(self, build_id: str, reason: str, overridden: Iterable[str]) -> None:
        """Records an override of the release gate: the texts of the overridden problems."""
        self._execute(
            "insert into overrides (build_id, reason, overridden, overridden_at) values (?, ?, ?, ?)",
            build_id, reason, json.dumps(list(overridden)), now(),
        )  # fmt: skip

    def overrides(self, build_id: str) -> list[Override]:
        """The overrides for a build, in order."""
        return self._all(Override, "select * from overrides where build_id = ? order by override", build_id)

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Converts the publications of an older version, in which a build could be published only once."""
        is_old = "select 1 from pragma_table_info('publications') where name = 'build_id' and pk"
        if connection.execute(is_old).fetchone():
            connection.execute("begin immediate")
            with connection:
                if connection.execute(is_old).fetchone():  # still: another process may have been first
                    connection.execute("alter table publications rename to publications_before")
                    connection.execute(_PUBLICATIONS)
                    connection.execute(
                        "insert into publications (build_id, published_at)"
                        " select build_id, published_at from publications_before order by rowid"
                    )
                    connection.execute("drop table publications_before")
