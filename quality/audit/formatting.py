"""How a failed check is put into words: rows named by their keys, mobile numbers masked, and a query to look at them.

Not here: what is checked, and how.
"""

from collections.abc import Iterable, Mapping, Sequence

from models.masking import MASKED_COLUMNS, masked, sanitize

MOST_NAMED = 5
"""So many rows, campaigns or groups are named in a detail; the rest are counted."""

_LONGEST_VALUE = 80
_LONGEST_ERROR = 500
_CONTACT_COLUMN = "contact_id"


def shown(column: str, value: object) -> str:
    """A value on one line, and short. Nothing but the last two digits is shown of a mobile number, valid or not; of a
    contact nothing: details are kept in places where nobody looks for a person who asked to be erased.
    """
    if value is None or value != value:
        return "null"
    text = " ".join((f"{value:.12g}" if isinstance(value, float) else str(value)).split())
    if column == _CONTACT_COLUMN:
        return "…"
    if column in MASKED_COLUMNS:
        return f"…{text[-2:]}"
    text = sanitize(text)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def named(rows: Iterable[Mapping[str, object]]) -> str:
    """Rows by the columns given: `campaign_id c1, contact_id p2; campaign_id c3, …`."""
    return "; ".join(", ".join(f"{column} {shown(column, value)}" for column, value in row.items()) for row in rows)


def some_of(total: int, told: int) -> str:
    """What goes before the rows that are named."""
    return "among them " if told < total else ""


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def in_candidate(schema: str, mart: str) -> str:
    """The mart's name for someone who has opened the candidate file by itself."""
    return f"{schema.rpartition('.')[2]}.{mart}"


def select_values(schema: str, mart: str, column: str, values: Sequence[str]) -> str:
    """A query for the rows with these values; empty where a value may not be shown as it is."""
    if column in {_CONTACT_COLUMN, *MASKED_COLUMNS} or any(masked(value) != value for value in values):
        return ""
    listed = ", ".join(literal(value) for value in dict.fromkeys(values))
    return f"select * from {in_candidate(schema, mart)} where {column} in ({listed})"


def error_text(error: BaseException | str) -> str:
    """What went wrong, on one line. Engines quote the values that they stumble over: numbers are masked here too."""
    text = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else error
    text = " ".join(masked(text).split())
    return text if len(text) <= _LONGEST_ERROR else text[: _LONGEST_ERROR - 1] + "…"
