"""Publications, rollbacks and overrides of the release gate."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from warehouse.ledger.store import Store, now

SCHEMA = """
create table if not exists publications (
    publication integer primary key autoincrement, build_id text not null, published_at text not null,
    went_back_from text
);
create table if not exists overrides (
    override integer primary key autoincrement, build_id text not null, reason text not null, overridden text not null,
    overridden_at text not null
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


class Publications(Store):
    """Publications, rollbacks and overrides."""

    def record_publication(self, build_id: str, published_at: datetime, rolled_back_from: str | None = None) -> None:
        with self._transaction() as connection:
            connection.execute(
                "insert into publications (build_id, published_at, went_back_from) values (?, ?, ?)",
                (build_id, published_at.isoformat(), rolled_back_from),
            )

    def publications(self) -> list[Publication]:
        """All publications in order; a build that was published again, by a rollback or otherwise, occurs again."""
        with self._transaction() as connection:
            return [_publication(row) for row in connection.execute("select * from publications order by publication")]

    def last_publication(self) -> tuple[str, datetime] | None:
        """The build that was published last, and when."""
        with self._transaction() as connection:
            row = connection.execute("select * from publications order by publication desc limit 1").fetchone()
            return row and (row["build_id"], datetime.fromisoformat(row["published_at"]))

    def withdrawal(self, build_id: str) -> Publication | None:
        """The last rollback from a build, or from one with the same inputs; None if there was none, or if such a build was
        published again afterwards.
        """
        with self._transaction() as connection:
            row = connection.execute(
                "with same_inputs as ("
                " select build_id from builds where inputs = (select inputs from builds where build_id = ?1)"
                " ) select *, went_back_from in same_inputs and build_id <> ?1 as is_withdrawn from publications"
                " where build_id in same_inputs or went_back_from in same_inputs order by publication desc limit 1",
                (build_id,),
            ).fetchone()
            return _publication(row) if row and row["is_withdrawn"] else None

    def override(self, build_id: str, reason: str, overridden: Iterable[str]) -> None:
        """Records an override of the release gate: the texts of the overridden problems."""
        with self._transaction() as connection:
            connection.execute(
                "insert into overrides (build_id, reason, overridden, overridden_at) values (?, ?, ?, ?)",
                (build_id, reason, json.dumps(list(overridden)), now().isoformat()),
            )

    def overrides(self, build_id: str) -> list[Override]:
        """The overrides for a build, in order."""
        with self._transaction() as connection:
            rows = connection.execute("select * from overrides where build_id = ? order by override", (build_id,))
            return [
                Override(
                    row["build_id"],
                    row["reason"],
                    tuple(json.loads(row["overridden"])),
                    datetime.fromisoformat(row["overridden_at"]),
                )
                for row in rows
            ]


def migrate(connection: sqlite3.Connection) -> None:
    """Converts the publications of an older version, in which a build could be published only once."""
    if "build_id" in _keys_of_publications(connection):
        connection.execute("begin immediate")
        with connection:
            if "build_id" in _keys_of_publications(connection):  # still: another process may have been first
                connection.execute("alter table publications rename to publications_before")
                connection.execute(
                    "create table publications (publication integer primary key autoincrement, build_id text not null,"
                    " published_at text not null, went_back_from text)"
                )
                connection.execute(
                    "insert into publications (build_id, published_at)"
                    " select build_id, published_at from publications_before order by rowid"
                )
                connection.execute("drop table publications_before")


def _keys_of_publications(connection: sqlite3.Connection) -> set[str]:
    return {row["name"] for row in connection.execute("pragma table_info(publications)") if row["pk"]}


def _publication(row: sqlite3.Row) -> Publication:
    return Publication(row["build_id"], datetime.fromisoformat(row["published_at"]), row["went_back_from"])
