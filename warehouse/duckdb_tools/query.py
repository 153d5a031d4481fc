"""Queries with one row or one value, which the type checker can follow: `fetchone` alone may return None.

Not here: the queries themselves; each room has its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb


def fetch_row(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None
) -> tuple[Any, ...]:
    """The first row of a query that has one, such as an aggregate without a group.

    Raises:
        LookupError: the query has no row.
    """
    row: tuple[Any, ...] | None = connection.execute(query, parameters if parameters is not None else []).fetchone()
    if row is None:
        raise LookupError(f"no row: {query}")
    return row


def fetch_value(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None
) -> Any:
    """The first column of the first row of a query that has one.

    Raises:
        LookupError: the query has no row.
    """
    return fetch_row(connection, query, parameters)[0]
