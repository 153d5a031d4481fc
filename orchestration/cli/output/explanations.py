"""Prints an explanation: figures, rules, rows. Text from log files is printed without control characters.

Not here: the explanation itself (`warehouse.explain`).
"""

from rich.table import Table
from rich.text import Text

from models.masking import masked
from orchestration.cli.output.console import console
from warehouse.explain.explanation import Explanation, Listing

MAX_CELL_CHARACTERS, MAX_FILE_CHARACTERS = 60, 40

_FILE_COLUMN = "came_in"
"""The file and row that a row came in with. It is printed whole, because operators copy it."""


def print_explanation(explanation: Explanation) -> None:
    """Prints an explanation: what it is based on, the figures, the rules that made them, and the rows."""
    basis = explanation.basis
    published_at = f"{basis.published_at:%Y-%m-%d %H:%M} UTC" if basis.published_at else ""
    console.print(f"{explanation.kind} {escaped(explanation.key)}")
    if basis.build_id is None:
        console.print("No build has been published yet. Based on the current lake.")
    elif basis.is_current:
        console.print(f"Published build {basis.build_id}, {published_at}, data until {basis.data_until}")
    else:
        console.print(
            f"Based on the current lake, data until {basis.data_until}. Files, settings or models have changed since build"
            f" {basis.build_id} was published at {published_at}: its figures may differ"
        )
    for name, value in explanation.conclusion.items():
        console.print(f"  {name}: {cell(value)}")
    for name, (current, published) in explanation.disagreements.items():
        console.print(f"  DIFFERS FROM THE PUBLISHED BUILD {name}: published {cell(published)}, now {cell(current)}")
    for rule in explanation.rules:
        console.print(f"- {masked(escaped(rule))}")
    for listing in explanation.listings:
        _print_listing(listing)


def _print_listing(listing: Listing) -> None:
    more = f", {len(listing.rows)} of {listing.total:,}" if listing.total > len(listing.rows) else ""
    table = Table(title=f"{listing.title}{more}", title_justify="left")
    for index, column in enumerate(listing.columns):
        longest = max(len(str(row[index])) for row in listing.rows)
        # On one line, if that leaves room for the other columns.
        table.add_column(column, overflow="fold", no_wrap=column == _FILE_COLUMN and longest <= MAX_FILE_CHARACTERS)
    for row in listing.rows:
        table.add_row(
            *(
                Text(masked(escaped(str(value))) if column == _FILE_COLUMN else cell(value))
                for column, value in zip(listing.columns, row, strict=True)
            )
        )
    console.print(table)


def cell(value: object) -> str:
    """A value on one line, at most `MAX_CELL_CHARACTERS` long, phone numbers masked."""
    if value is None:
        return ""
    text = masked(escaped(", ".join(value) if isinstance(value, list) else str(value)))
    return text if len(text) <= MAX_CELL_CHARACTERS else f"{text[: MAX_CELL_CHARACTERS - 1]}…"


def escaped(text: str) -> str:
    """Text with line breaks and control characters as escape sequences, so that a terminal does not act on them."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
