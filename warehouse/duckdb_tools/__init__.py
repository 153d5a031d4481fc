"""Tools for DuckDB: session limits, SQL literals, local times, file health, copies with changed columns, previews, reading from `s3://`.

Not here: the queries themselves; each package has its own.
"""

from warehouse.duckdb_tools.health import (
    corruption_reason,
    damage_of,
    holds_rows,
    is_corruption_error,
    truncation_reason,
)
from warehouse.duckdb_tools.local_time import clock_changes, local_time_sql
from warehouse.duckdb_tools.preview import preview_rows
from warehouse.duckdb_tools.rewrite import Column, columns_of, copy_with_changes, list_tables
from warehouse.duckdb_tools.session import SessionLimits, apply_limits, attached, enable_s3, new_session, small_session
from warehouse.duckdb_tools.sql import fetch_row, fetch_value, literal, masked_id, masked_value, masked_words

__all__ = [
    "Column", "SessionLimits", "apply_limits", "attached", "clock_changes", "columns_of", "copy_with_changes",
    "corruption_reason", "damage_of", "enable_s3", "fetch_row", "fetch_value", "holds_rows", "is_corruption_error",
    "list_tables", "literal", "local_time_sql", "masked_id", "masked_value", "masked_words", "new_session",
    "preview_rows", "small_session", "truncation_reason",
]  # fmt: skip
