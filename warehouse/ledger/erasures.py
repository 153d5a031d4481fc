"""Who was erased, by keyed hash alone, and whether that has got through (`warehouse.erasure`)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from warehouse.ledger.store import Store, now

_IN_WORDS = (
    ("checks", "detail"),
    ("refreshes", "message"),
    ("files", "refusal"),
    ("acceptances", "reason"),
    ("overrides", "reason"),
    ("overrides", "overridden"),
    ("alerts", "body"),
)

SCHEMA = """
create table if not exists hash_key (own_hash text primary key);
create table if not exists erasures (
    erasure_id integer primary key autoincrement, reason text not null, started_at text not null, finished_at text
);
create table if not exists erased (
    kind text not null, hash text not null, token text not null, erasure_id integer not null,
    primary key (kind, hash)
);
"""


@dataclass(frozen=True)
class Erased:
    """A contact (`contact`) or number (`number`) that was erased, by its keyed hash, and what stands in its place."""

    kind: str
    hash: str
    token: str
    erasure_id: int


class Erasures(Store):
    """Erased contacts and numbers."""

    def record_hash_key(self, own_hash: str) -> None:
        """Notes what tells the key of the keyed hashes from another, without telling the key."""
        with self._transaction() as connection:
            connection.execute("insert into hash_key values (?)", (own_hash,))

    def hash_key(self) -> str | None:
        with self._transaction() as connection:
            row = connection.execute("select * from hash_key").fetchone()
            return row and row["own_hash"]

    def record_erasure(self, reason: str, contact_hash: str, token: str) -> int:
        """Notes that a contact is to be erased; gives the erasure's number."""
        with self._transaction() as connection:
            erasure_id = connection.execute(
                "insert into erasures (reason, started_at) values (?, ?)", (reason, now().isoformat())
            ).lastrowid
            connection.execute("insert into erased values ('contact', ?, ?, ?)", (contact_hash, token, erasure_id))
            return erasure_id

    def record_erased_numbers(self, numbers: Iterable[Erased]) -> None:
        """Notes numbers of erased contacts. Such an erasure is not finished any more: the number may stand elsewhere."""
        with self._transaction() as connection:
            for one in numbers:
                connection.execute(
                    "insert or ignore into erased values (?, ?, ?, ?)", (one.kind, one.hash, one.token, one.erasure_id)
                )
                connection.execute("update erasures set finished_at = null where erasure_id = ?", (one.erasure_id,))

    def erased(self) -> list[Erased]:
        """Every contact and number that is to be read as a token."""
        with self._transaction() as connection:
            rows = connection.execute("select * from erased order by erasure_id, kind, hash")
            return [Erased(row["kind"], row["hash"], row["token"], row["erasure_id"]) for row in rows]

    def is_erasing(self) -> bool:
        """Whether an erasure was begun and has not got through."""
        with self._transaction() as connection:
            return connection.execute("select 1 from erasures where finished_at is null").fetchone() is not None

    def record_erasures_finished(self) -> None:
        """Notes that nothing that was to be erased stands anywhere any more."""
        with self._transaction() as connection:
            connection.execute("update erasures set finished_at = ? where finished_at is null", (now().isoformat(),))

    def rewrite_texts(self, rewrite: Callable[[str], str]) -> None:
        """Rewrites what was recorded in words; what it said before does not stay in the file either."""
        with self._transaction() as connection:
            connection.execute("pragma secure_delete = on")
            connection.create_function("rewritten", 1, rewrite, deterministic=True)
            for table, column in _IN_WORDS:
                connection.execute(
                    f"update {table} set {column} = rewritten({column})"
                    f" where {column} is not null and rewritten({column}) <> {column}"
                )
