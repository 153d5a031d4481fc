"""The ledger's SQLite file: opened, brought up to date, and worked on in transactions that survive a power cut.

Not here: what is noted in it; each subject has a module of its own.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

VERSION = 1
"""What the tables mean, noted in the file. To be raised, with what brings an older file up to date, by whatever a program
without it would read wrongly or would not keep up. 0: a file from before this was noted.
"""


class LedgerIsNewer(sqlite3.Error):
    """A newer version of Sendmart has written the ledger: this one would misread it."""


def now() -> datetime:
    return datetime.now(UTC)


class Store:
    """One small file, made on first use. A subclass says in `schema` which tables there are."""

    schema: str

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=60)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("pragma synchronous = full")
            (found,) = connection.execute("pragma user_version").fetchone()
            if found > VERSION:
                raise LedgerIsNewer(f"{self._path} has version {found} of the ledger, and this program knows {VERSION}")
            self._bring_up_to_date(connection)
            connection.executescript(self.schema)
            if found < VERSION:
                connection.execute(f"pragma user_version = {VERSION}")
            with connection:
                yield connection
        finally:
            connection.close()

    def _bring_up_to_date(self, connection: sqlite3.Connection) -> None:
        """Changes what an older version left."""
