"""What was published: when, over which holds, and from which build a person went back."""

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
    """A build became what is published; `went_back_from` is the build that a person went back from to it, or None."""

    build_id: str
    published_at: datetime
    rolled_back_from: str | None


@dataclass(frozen=True)
class Override:
    """A person published a build over what held it back: the texts of the holds, and why."""

    build_id: str
    reason: str
    overridden: tuple[str, ...]
    overridden_at: datetime


class Publications(Store):
    """Publications, ways back, and what was published over what held it back."""

    def record_publication(self, build_id: str, published_at: datetime, rolled_back_from: str | None = None) -> None:
        with self._transaction() as connection:
            connection.execute(
                "insert into publications (build_id, published_at, went_back_from) values (?, ?, ?)",
                (build_id, published_at.isoformat(), rolled_back_from),
            )

    def publications(self) -> list[Publication]:
        """All publications, in order; a build that was gone back to, or published again, occurs again."""
        with self._transaction() as connection:
            return [_publication(row) for row in connection.execute("select * from publications order by publication")]

    def last_publication(self) -> tuple[str, datetime] | None:
        """The build published last, and when."""
        with self._transaction() as connection:
            row = connection.execute("select * from publications order by publication desc limit 1").fetchone()
            return row and (row["build_id"], datetime.fromisoformat(row["published_at"]))

    def withdrawal(self, build_id: str) -> Publication | None:
        """When a person last went back from a build, or from one that was made of the same: None where no one did, or
        it has been published again since.
        """
        with self._transaction() as connection:
            row = connection.execute(
                "with of_the_same as ("
                " select build_id from builds where inputs = (select inputs from builds where build_id = ?1)"
                " ) select *, went_back_from in of_the_same and build_id <> ?1 as is_withdrawn from publications"
                " where build_id in of_the_same or went_back_from in of_the_same order by publication desc limit 1",
                (build_id,),
            ).fetchone()
            return _publication(row) if row and row["is_withdrawn"] else None

    def override(self, build_id: str, reason: str, overridden: Iterable[str]) -> None:
        """Notes that a person publishes a build over what holds it back: the texts of these holds."""
        with self._transaction() as connection:
            connection.execute(
                "insert into overrides (build_id, reason, overridden, overridden_at) values (?, ?, ?, ?)",
                (build_id, reason, json.dumps(list(overridden)), now().isoformat()),
            )

    def overrides(self, build_id: str) -> list[Override]:
        """What a person overrode of what held a build back, in order."""
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


def bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Gives a ledger of an older version, where a build could be published only once, the publications of this one."""
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
