"""What the command line tells of an explanation: figures, rules, rows. What comes from logs is shown as plain text.

Not here: the explanation (`warehouse.explain`).
"""

from rich.table import Table
from rich.text import Text

from models.masking import masked
from orchestration.cli.output.console import console
from warehouse.explain import Explanation

LONGEST_CELL, LONGEST_PLACE = 60, 40


def explanation(told: Explanation) -> None:
    """An explanation, for whoever asks why."""
    basis = told.basis
    console.print(f"{told.kind} {plain(told.key)}")
    if basis.build_id is None:
        console.print("Nothing has been published yet: what follows is the lake as it is now.")
    elif basis.is_current:
        console.print(
            f"Of the published build {basis.build_id}, {basis.published_at:%Y-%m-%d %H:%M} UTC, data until {basis.data_until}"
        )
    else:
        console.print(
            f"Of the lake as it is now, data until {basis.data_until}. Files, settings or models have changed since build"
            f" {basis.build_id} was published at {basis.published_at:%Y-%m-%d %H:%M} UTC: figures may differ from it"
        )
    for name, value in told.conclusion.items():
        console.print(f"  {name}: {cell(value)}")
    for name, (now, published) in told.disagreements.items():
        console.print(f"  PUBLISHED OTHERWISE {name}: {cell(published)}, now {cell(now)}")
    for rule in told.rules:
        console.print(f"- {masked(plain(rule))}")
    for listing in told.listings:
        more = f", {len(listing.rows)} of {listing.total:,}" if listing.total > len(listing.rows) else ""
        table = Table(title=f"{listing.title}{more}", title_justify="left")
        for index, column in enumerate(listing.columns):
            # Where a row came in is there to be typed: in one piece, if that leaves room for the rest.
            longest = max(len(str(row[index])) for row in listing.rows)
            table.add_column(column, overflow="fold", no_wrap=column == "came_in" and longest <= LONGEST_PLACE)
        for row in listing.rows:
            cells = zip(listing.columns, row, strict=True)
            # Where a row came in is never cut.
            table.add_row(
                *(Text(masked(plain(value)) if column == "came_in" else cell(value)) for column, value in cells)
            )
        console.print(table)


def cell(value: object) -> str:
    """A value on one line, short, mobile numbers masked."""
    if value is None:
        return ""
    text = masked(plain(", ".join(value) if isinstance(value, list) else str(value)))
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


def plain(text: str) -> str:
    """Text without what a terminal would take for a command, or a reader for another line."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
