"""What DuckDB may use, outside dbt, whose profile says the same (`warehouse.dbt`): memory, threads, a place to spill to."""

import duckdb

from warehouse.settings import Settings
from warehouse.sql import literal


def keep_within_limits(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """A connection uses no more than the settings in force allow."""
    settings.scratch.mkdir(parents=True, exist_ok=True)
    connection.execute(f"set memory_limit = {literal(settings.memory_limit)}; set threads = {settings.threads}")
    connection.execute(f"set temp_directory = {literal(settings.scratch)}")
