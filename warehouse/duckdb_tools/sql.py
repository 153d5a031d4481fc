"""SQL text for statements that take no parameters, and queries with one row or one value.

Not here: the queries themselves; each package has its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from models.masking import (
    DIGITS_IN_WORDS,
    FREE_TEXT_COLUMNS,
    ID_COLUMNS,
    MASKED_COLUMNS,
    NUMBER_AFTER_ID,
    NUMBER_BEFORE_ID,
    NUMBER_IN_WORDS,
    PROVIDER_COLUMNS,
)

Parameters = Sequence[Any] | Mapping[str, Any]


def literal(value: object) -> str:
    """A value as an SQL string."""
    return "'" + str(value).replace("'", "''") + "'"


def masked_words(column: str) -> str:
    """The expression for a text column with the phone numbers in it masked, as `models.masking.masked_in_words` does."""
    text = rf"regexp_replace({column}, '{NUMBER_IN_WORDS}', '\1…\2', 'g')"
    return rf"regexp_replace({text}, '{DIGITS_IN_WORDS}', '\1…\2', 'g')"


def masked_id(column: str) -> str:
    """The expression for an id with the phone numbers in it masked, as `models.masking.masked_in_ids` does."""
    text = rf"regexp_replace({column}, '(\+[0-9]{{2}}|\b00[1-9])[0-9]{{4,}}([0-9]{{2}})', '\1…\2', 'g')"
    text = rf"regexp_replace({text}, '{NUMBER_AFTER_ID}', '\1\2…\3', 'g')"
    return rf"regexp_replace({text}, '{NUMBER_BEFORE_ID}', '\1…\2', 'g')"


def masked_value(column: str, value: str) -> str:
    """The expression for a value of this column of a mart with its phone numbers masked; `value` for other columns."""
    if column in MASKED_COLUMNS:
        return f"(left({value}, 3) || '…' || right({value}, 2))"
    if column in ID_COLUMNS:
        return masked_id(value)
    return masked_words(value) if column in FREE_TEXT_COLUMNS | PROVIDER_COLUMNS else value


def fetch_row(connection: duckdb.DuckDBPyConnection, query: str, parameters: Parameters = ()) -> tuple[Any, ...]:
    """The first row of a query that has one, such as an aggregate without a group; LookupError if there is none."""
    row: tuple[Any, ...] | None = connection.execute(query, parameters).fetchone()
    if row is None:
        raise LookupError(f"no row: {query}")
    return row


def fetch_value(connection: duckdb.DuckDBPyConnection, query: str, parameters: Parameters = ()) -> Any:
    """The first column of that row."""
    return fetch_row(connection, query, parameters)[0]
