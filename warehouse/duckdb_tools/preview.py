"""Previews: a few rows of a relation as a Markdown table, without personal data.

Not here: where previews are shown (`orchestration/defs`), how a number is masked (`models.masking`).
"""

import duckdb

from models.masking import HIDDEN_COLUMNS, MASKED_COLUMNS, masked_number, sanitize

PREVIEW_ROWS = 5
PREVIEW_CHARACTERS = 40


def preview_rows(connection: duckdb.DuckDBPyConnection, relation: str) -> str:
    """The first rows of a relation: long texts cut, phone numbers masked, contact ids and free text hidden."""
    cursor = connection.execute(f"from {relation} limit {PREVIEW_ROWS}")
    names = [column[0] for column in cursor.description]
    lines = [names, ["---"] * len(names)]
    lines += [[_cell(name, value) for name, value in zip(names, row, strict=True)] for row in cursor.fetchall()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if name in HIDDEN_COLUMNS:
        return "…"
    text = masked_number(str(value)) if name in MASKED_COLUMNS else sanitize(str(value))
    text = " ".join(text.split()).replace("|", "\\|").replace("`", "'").replace("<", "&lt;")
    return text if len(text) <= PREVIEW_CHARACTERS else f"{text[:PREVIEW_CHARACTERS]}…"
