"""Limits of a DuckDB session outside dbt: memory, threads, spill directory.

dbt's profile sets the same limits (`warehouse.transform.dbt_runner`).
"""

import duckdb

from warehouse.config.settings import Settings
from warehouse.duckdb_tools.sql import literal


def apply_limits(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """A connection uses no more than the settings in force allow."""
    settings.scratch.mkdir(parents=True, exist_ok=True)
    connection.execute(f"set memory_limit = {literal(settings.memory_limit)}; set threads = {settings.threads}")
    connection.execute(f"set temp_directory = {literal(settings.scratch)}")
