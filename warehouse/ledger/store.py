"""The ledger's SQLite file: opened, brought up to date, and worked on in transactions that survive a power cut.

Not here: what is noted in it; each subject has a module of its own.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path


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
            self._bring_up_to_date(connection)
            connection.executescript(self.schema)
            with connection:
                yield connection
        finally:
            connection.close()

    def _bring_up_to_date(self, connection: sqlite3.Connection) -> None:
        """Changes what an older version left."""
