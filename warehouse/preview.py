"""A few rows of a relation as a Markdown table, for people to see what is there; phone numbers masked.

Not here: where previews are shown (`orchestration/defs`).
"""

import duckdb

PREVIEW_ROWS = 5
PREVIEW_CHARACTERS = 40
NUMBER_COLUMN = "mobile_number"


def preview(connection: duckdb.DuckDBPyConnection, relation: str) -> str:
    """The first rows of a relation: long texts cut, of a phone number only its beginning and end shown."""
    cursor = connection.execute(f"from {relation} limit {PREVIEW_ROWS}")
    names = [column[0] for column in cursor.description]
    lines = [names, ["---"] * len(names)]
    lines += [[_cell(name, value) for name, value in zip(names, row, strict=True)] for row in cursor.fetchall()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def masked(number: str) -> str:
    """`+447700900123` as `+44…23`."""
    return f"{number[:3]}…{number[-2:]}"


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    text = masked(str(value)) if name == NUMBER_COLUMN else str(value)
    text = " ".join(text.split()).replace("|", "\\|").replace("`", "'").replace("<", "&lt;")
    return text if len(text) <= PREVIEW_CHARACTERS else f"{text[:PREVIEW_CHARACTERS]}…"
