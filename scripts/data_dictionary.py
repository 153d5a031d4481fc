"""The data dictionary: every column of every mart and raw log, as Markdown generated from the contracts.

`make docs` writes it to `docs/data-dictionary.md`; a test compares the two.

Not here: the descriptions of the columns (`models`).
"""

import sys

from models.enums import Log
from models.logs import COLUMNS, CONTRACTS, LogColumn
from models.marts import INSIGHTS, MARTS, columns, description, sql_type

_INTRODUCTION = """# Data dictionary

Made from `models/` by `make docs`; do not edit. The published marts are in `published/sendmart.duckdb`, in the schemas
`marts` and, unless SENDMART_INSIGHTS is false, `insights`.
Timestamps are UTC; `_rate` columns are fractions, null where the denominator is 0; money is in the reporting currency
unless the column says otherwise. The label heads the column on the report pages and in files for people
([exports.md](exports.md)). How raw log files look is in [contracts.md](contracts.md).

Where SENDMART_MASK_PHONE_NUMBERS is true, every `mobile_number` is masked (`+44…23`) and followed by `mobile_number_hash`, a
keyed hash of it, which takes its place in keys ([privacy.md](privacy.md))."""


def data_dictionary() -> str:
    """The whole dictionary."""
    sections = [_INTRODUCTION, "## Marts"]
    for name, mart in MARTS.items():
        rows = [
            f"| `{column.name}` | {column.sql_type} | {'yes' if column.nullable else ''} | {column.label} |"
            f" {_cell(column.description)} |"
            for column in columns(name)
        ]
        key = ", ".join(f"`{column}`" for column in mart.key)
        head = f"### `{name}`\n\n{description(name)} Key: {key}."
        if name == next(iter(INSIGHTS)):
            sections.append("## Insights")
        sections.append(
            "\n".join([head, "", "| column | type | null | label | meaning |", "|---|---|---|---|---|", *rows])
        )
    sections.append("## Raw logs")
    for log in Log:
        rows = [
            f"| `{column.name}` | {_type(column)} | {_required(column)} | {_cell(_with_values(column))} |"
            for column in COLUMNS[log]
        ]
        head = f"### `{log}`\n\n{CONTRACTS[log].__doc__}"
        sections.append("\n".join([head, "", "| column | type | required | meaning |", "|---|---|---|---|", *rows]))
    return "\n\n".join(sections) + "\n"


def _type(column: LogColumn) -> str:
    return sql_type(column.read_as.dtype) if column.read_as.name == "decimal" else column.read_as.name


def _with_values(column: LogColumn) -> str:
    """The meaning of a column and, of a closed list, its values."""
    if not column.allowed_values:
        return column.description
    return f"{column.description} One of {', '.join(f'`{value}`' for value in column.allowed_values)}."


def _required(column: LogColumn) -> str:
    if column.default is not None:
        return f"null becomes `{column.default}`"
    return "yes" if column.is_required else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(data_dictionary())
