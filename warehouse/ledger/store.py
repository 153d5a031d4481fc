"""The ledger's SQLite file: opening, migration, and transactions that survive a power cut.

Not here: the tables; each subject has a module of its own.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

VERSION = 1
"""The version of the tables, recorded in the file. Raise it, and add a migration, with every change that an older program
would read wrongly or would not maintain. 0: a file from before the version was recorded.
"""


class LedgerIsNewer(sqlite3.Error):
    """A newer version of Sendmart wrote the ledger; this version would misread it."""


def now() -> datetime:
    return datetime.now(UTC)


class Store:
    """The ledger file. Subclasses give their tables in `schema`."""

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
            (version,) = connection.execute("pragma user_version").fetchone()
            if version > VERSION:
                raise LedgerIsNewer(
                    f"{self._path} has version {version} of the ledger, and this program knows {VERSION}"
                )
            self._migrate(connection)
            connection.executescript(self.schema)
            if version < VERSION:
                connection.execute(f"pragma user_version = {VERSION}")
            with connection:
                yield connection
        finally:
            connection.close()

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Converts the tables of an older version."""
