"""Erased contacts and numbers, by keyed hash only, and which erasures are unfinished.

Not here: the erasure itself (`warehouse.erasure`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from warehouse.ledger.store import Store, now

_TEXT_COLUMNS = (
    ("checks", "detail"),
    ("refreshes", "message"),
    ("files", "refusal"),
    ("acceptances", "reason"),
    ("overrides", "reason"),
    ("overrides", "overridden"),
    ("alerts", "body"),
)


@dataclass(frozen=True)
class Erased:
    """An erased contact or number (`kind`: `contact` or `number`): its keyed hash, and the token that replaces it."""

    kind: str
    hash: str
    token: str
    erasure_id: int


class Erasures(Store):
    """Erased contacts and numbers."""

    tables = """
    create table if not exists hash_key (own_hash text primary key);
    create table if not exists erasures (
        erasure_id integer primary key autoincrement, reason text not null, started_at text not null, finished_at text
    );
    create table if not exists erased (
        kind text not null, hash text not null, token text not null, erasure_id integer not null,
        primary key (kind, hash)
    );
    """

    def record_hash_key(self, own_hash: str) -> None:
        """Records a fingerprint of the key of the keyed hashes, from which the key cannot be derived."""
        self._execute("insert into hash_key values (?)", own_hash)

    def hash_key(self) -> str | None:
        own_hash: str | None = self._value("select own_hash from hash_key")
        return own_hash

    def record_erasure(self, reason: str, contact_hash: str, token: str) -> int:
        """Records that a contact is to be erased; returns the id of the erasure."""
        with self._transaction() as connection:
            (erasure_id,) = connection.execute(
                "insert into erasures (reason, started_at) values (?, ?) returning erasure_id", (reason, now())
            ).fetchone()
            connection.execute("insert into erased values ('contact', ?, ?, ?)", (contact_hash, token, erasure_id))
            return int(erasure_id)

    def record_erased_numbers(self, numbers: Iterable[Erased]) -> None:
        """Records numbers of erased contacts, and marks their erasures unfinished: the number may occur in other files."""
        with self._transaction() as connection:
            for number in numbers:
                connection.execute("insert or ignore into erased values (?, ?, ?, ?)", tuple(vars(number).values()))
                connection.execute("update erasures set finished_at = null where erasure_id = ?", (number.erasure_id,))

    def restore_erased(self, erased: Iterable[Erased], reason: str) -> None:
        """Records erased contacts and numbers that the ledger lacks, as one unfinished erasure."""
        with self._transaction() as connection:
            (erasure_id,) = connection.execute(
                "insert into erasures (reason, started_at) values (?, ?) returning erasure_id",
                (reason, now().isoformat()),
            ).fetchone()
            connection.executemany(
                "insert into erased values (?, ?, ?, ?)",
                [(tombstone.kind, tombstone.hash, tombstone.token, erasure_id) for tombstone in erased],
            )

    def erased(self) -> list[Erased]:
        """Every erased contact and number."""
        return self._all(Erased, "select * from erased order by erasure_id, kind, hash")

    def is_erasing(self) -> bool:
        """Whether an erasure is unfinished."""
        return bool(self._rows("select 1 from erasures where finished_at is null"))

    def record_erasures_finished(self) -> None:
        """Records that no file holds an erased contact or number any more."""
        self._execute("update erasures set finished_at = ? where finished_at is null", now())

    def rewrite_texts(self, rewrite: Callable[[str], str]) -> None:
        """Rewrites every text in the ledger; the old texts are overwritten in the file as well."""
        with self._transaction() as connection:
            connection.execute("pragma secure_delete = on")
            connection.create_function("rewritten", 1, rewrite, deterministic=True)
            for table, column in _TEXT_COLUMNS:
                connection.execute(
                    f"update {table} set {column} = rewritten({column})"
                    f" where {column} is not null and rewritten({column}) <> {column}"
                )
