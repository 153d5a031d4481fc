"""Limits of a DuckDB session outside dbt: memory, threads, spill directory.

dbt's profile sets the same limits (`warehouse.transform.dbt_runner`).
"""

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
