"""DuckDB sessions outside dbt: their attached files, and their limits (memory, threads, spill directory).

dbt's profile sets the same limits (`warehouse.transform.dbt_runner`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import duckdb

from warehouse.duckdb_tools.sql import literal


class SessionLimits(Protocol):
    """The limits of a session. The settings (`warehouse.config.Settings`) have these fields."""

    @property
    def memory_limit(self) -> str:
        """DuckDB's notation, such as `2GiB`."""

    @property
    def threads(self) -> int: ...

    @property
    def scratch(self) -> Path:
        """DuckDB's spill directory; created if it does not exist."""


def apply_limits(connection: duckdb.DuckDBPyConnection, limits: SessionLimits) -> None:
    """Sets the limits on a connection."""
    limits.scratch.mkdir(parents=True, exist_ok=True)
    connection.execute(f"set memory_limit = {literal(limits.memory_limit)}; set threads = {limits.threads}")
    connection.execute(f"set temp_directory = {literal(limits.scratch)}")


@contextmanager
def attached(*, read_only: bool = True, **files: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A new session with these files attached; the keyword of a file is the name of its database."""
    with duckdb.connect() as connection:
        for database, file in files.items():
            connection.execute(f"attach {literal(file)} as {database}{' (read_only)' if read_only else ''}")
        yield connection
