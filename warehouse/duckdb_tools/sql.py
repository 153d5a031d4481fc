"""SQL text for statements that take no parameters, and queries with one row or one value.

Not here: the queries themselves; each package has its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from models.masking import NUMBER_AFTER_ID, NUMBER_BEFORE_ID

Parameters = Sequence[Any] | Mapping[str, Any]


def literal(value: object) -> str:
    """A value as an SQL string."""
    return "'" + str(value).replace("'", "''") + "'"


def masked_words(column: str) -> str:
    """The expression for a text column with its phone numbers masked. A malformed number has no plus, so of any ten or
    more digits in a row only the first and last two are shown.
    """
    return (
        rf"regexp_replace(regexp_replace({column}, '(\+[0-9]{{2}})[0-9 ().-]{{3,}}([0-9]{{2}})', '\1…\2', 'g'),"
        r" '([0-9]{2})[0-9]{6,}([0-9]{2})', '\1…\2', 'g')"
    )


def masked_id(column: str) -> str:
    """The expression for an id with the phone numbers in it masked, as `models.masking.masked_in_ids` does."""
    text = rf"regexp_replace({column}, '(\+[0-9]{{2}}|\b00[1-9])[0-9]{{4,}}([0-9]{{2}})', '\1…\2', 'g')"
    text = rf"regexp_replace({text}, '{NUMBER_AFTER_ID}', '\1\2…\3', 'g')"
    return rf"regexp_replace({text}, '{NUMBER_BEFORE_ID}', '\1…\2', 'g')"


def fetch_row(connection: duckdb.DuckDBPyConnection, query: str, parameters: Parameters = ()) -> tuple[Any, ...]:
    """The first row of a query that has one, such as an aggregate without a group; LookupError if there is none."""
    row: tuple[Any, ...] | None = connection.execute(query, parameters).fetchone()
    if row is None:
        raise LookupError(f"no row: {query}")
    return row


def fetch_value(connection: duckdb.DuckDBPyConnection, query: str, parameters: Parameters = ()) -> Any:
    """The first column of that row."""
    return fetch_row(connection, query, parameters)[0]
