"""The rows of a listing as a CSV: its columns, and their headings with units.

Not here: the rows (`reports.queries.listings.listing`), the format of cells (`warehouse.export`).
"""

from dataclasses import replace

from models.labels import label
from models.marts import NUMBER, NUMBER_HASH, qualified
from reports.database import DATABASE, Selection
from reports.queries.listings.listing import ListingQuery, Reader, Shown, has_number, selected

_MILLISECONDS = {"min": 60_000, "s": 1_000}
_MONEY = ("money", "cost", "amount")


def selected_for_file(query: ListingQuery, reader: Reader, currency: str, *, is_raw: bool) -> Selection:
    """The rows that match the filters. Headings name the unit of a duration and the currency of an amount, unless `is_raw`:
    then durations are in milliseconds.
    """
    selection = selected(query, reader)
    columns = _columns(query, reader)
    if is_raw:
        return replace(selection, columns=[(column.column, column.label) for column in columns])
    durations = [column for column in columns if column.kind == "duration"]
    if durations:
        values = ", ".join(
            f"round({column.name} / {_MILLISECONDS[column.unit]}, 2) as {_name(column)}" for column in durations
        )
        rows = selection.query or f"from {DATABASE}.{qualified(selection.mart)}"
        selection = replace(selection, query=f"select *, {values} from ({rows})")
    return replace(
        selection,
        columns=[(replace(column.column, name=_name(column)), _heading(column, currency)) for column in columns],
    )


def _name(column: Shown) -> str:
    return f"{column.name}_in_{column.unit}" if column.kind == "duration" else column.name


def _heading(column: Shown, currency: str) -> str:
    unit = column.unit if column.kind == "duration" else currency if column.kind in _MONEY else ""
    return f"{column.label} ({unit})" if unit else column.label


def _columns(query: ListingQuery, reader: Reader) -> list[Shown]:
    """The columns of a CSV: those of the page with their notes, the id beside a campaign's name, the hash beside a number."""
    columns = []
    for column in query.columns:
        columns.append(column)
        if column.note:
            columns.append(column.note)
        if column.kind == "campaign":
            columns.append(Shown("campaign_id", "Campaign ID"))
        if column.name == NUMBER and reader.build_is_masked and has_number(query.listing):
            columns.append(Shown(NUMBER_HASH, label(query.listing.mart, NUMBER_HASH)))
    return columns
