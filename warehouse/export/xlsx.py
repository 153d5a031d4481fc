"""Writes a report to a spreadsheet (XLSX), row by row in constant memory.

Text is text: no cell holds a formula, and none becomes one when it is edited. Counts, money and rates are numbers.
Timestamps are dates in local time. A sheet holds 1,048,576 rows. A cell holds 32,767 characters; longer text is cut.

Not here: which rows (`warehouse.export.report_sql`). No module reads a spreadsheet back.
"""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import duckdb
from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.worksheet import Worksheet

from models.marts import MartColumn
from warehouse.export.report_sql import ExportRefused

MOST_ROWS = 1_048_576 - 1
"""The rows of a sheet without the header."""

_ROWS_PER_BATCH = 10_000

WIDEST = 60
"""The widest column, in characters. Longer text is in its cell, but not all of it is seen."""

_FILTER_BUTTON = 3
_FIXED_WIDTHS = {"timestamp": 19, "date": 10, "boolean": 5}
_MORE_PLACES = {"decimal(18,2)": 0, "decimal(18,4)": 2, "decimal(18,6)": 4, "double": 4}
"""The places that a number format may show beyond two."""

_NUMBER_FORMATS = {
    "varchar": "@",  # stays text when the cell is edited
    "timestamp": "yyyy-mm-dd hh:mm:ss",
    "decimal(18,2)": "#,##0.00",
    "decimal(18,4)": "#,##0.00##",
    "decimal(18,6)": "#,##0.00####",
    "date": "yyyy-mm-dd",
    "boolean": "General",
    "double": "#,##0.00####",
    "bigint": "#,##0",
}
_PERCENTAGES = re.compile(
    r".*_(rate|ratio|coverage)|(.*_)?share(_of_.*)?|roi|unsubscribe_(low|high)|conversion_rate_by_.*"
)
"""The names of columns of fractions, which a spreadsheet shows as percentages."""


class Rows(Protocol):
    """What a spreadsheet holds: a `ReportQuery`, or other rows."""

    @property
    def report(self) -> str:
        """The name of the report, for messages."""

    def columns(self) -> list[tuple[MartColumn, str]]:
        """The columns, each with its header."""

    def row_count(self) -> int: ...

    def execute(self) -> duckdb.DuckDBPyConnection:
        """The rows as values."""


class _TextOnly(Worksheet):  # type: ignore[misc]  # the library ships no types
    """Writes text that looks like the library's own rich-text markup as text."""

    def _xml_rich_inline_string(self, string: str, attributes: Sequence[tuple[str, Any]] = ()) -> None:
        self._xml_inline_string(string, False, attributes)


def write(query: Rows, file: Path, scratch: Path) -> int:
    """Writes a report, with temporary files in the folder `scratch`. Returns the number of rows.

    Raises:
        ExportRefused: a sheet cannot hold the rows.
    """
    row_count = query.row_count()
    if row_count > MOST_ROWS:
        raise ExportRefused(
            f"{query.report} has {row_count:,} rows, and a spreadsheet holds {MOST_ROWS:,} beside its header:"
            " ask for one campaign, or for CSV"
        )
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        with Workbook(file, {"constant_memory": True, "tmpdir": str(scratch)}) as workbook:
            return _write_sheet(workbook, query)
    except FileCreateError as error:
        raise OSError(str(error)) from error


def _number_format(column: MartColumn) -> str:
    is_percentage = column.sql_type == "double" and _PERCENTAGES.fullmatch(column.name)
    return "0.00%" if is_percentage else _NUMBER_FORMATS[column.sql_type]


class _Width:
    """The width of a column, in characters: that of its widest cell, within limits."""

    def __init__(self, column: MartColumn, heading: str) -> None:
        self.sql_type = column.sql_type
        self.widest = len(heading) + _FILTER_BUTTON
        self.is_percentage = _number_format(column) == "0.00%"

    def include(self, values: Sequence[Any]) -> None:
        present = [value for value in values if value is not None]
        if not present:
            return
        if self.sql_type == "varchar":
            self.widest = max(self.widest, *map(_text_width, present))
        elif self.sql_type in _FIXED_WIDTHS:
            self.widest = max(self.widest, _FIXED_WIDTHS[self.sql_type])
        else:
            extremes = (max(present), min(present))
            self.widest = max(self.widest, *(self._number_width(number) for number in extremes))

    def _number_width(self, number: Any) -> int:
        if self.sql_type == "bigint":
            return len(f"{number:,}")
        return (
            len(f"{number * 100:,.2f}%") if self.is_percentage else len(f"{number:,.2f}") + _MORE_PLACES[self.sql_type]
        )

    @property
    def shown(self) -> int:
        return min(self.widest + 1, WIDEST)


def _text_width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _write_sheet(workbook: Workbook, query: Rows) -> int:
    columns = query.columns()
    sheet = workbook.add_worksheet("Report", _TextOnly)
    header = workbook.add_format({"bold": True, "num_format": "@"})
    writers = {
        "varchar": sheet.write_string,
        "timestamp": sheet.write_datetime,
        "date": sheet.write_datetime,
        "boolean": sheet.write_boolean,
    }
    cells = [
        (
            writers.get(column.sql_type, sheet.write_number),
            workbook.add_format({"num_format": _number_format(column)}),
        )
        for column, _ in columns
    ]
    widths = [_Width(column, heading) for column, heading in columns]
    sheet.freeze_panes(1, 0)
    sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{MOST_ROWS + 1}"})
    for at, (_, name) in enumerate(columns):
        sheet.write_string(0, at, name, header)
    cursor, number = query.execute(), 0
    while rows := cursor.fetchmany(_ROWS_PER_BATCH):
        for width, values in zip(widths, zip(*rows, strict=True), strict=True):
            width.include(values)
        for row in rows:
            number += 1
            for at, ((write_cell, cell_format), value) in enumerate(zip(cells, row, strict=True)):
                if value is not None:
                    write_cell(number, at, value, cell_format)
    for at, width in enumerate(widths):
        sheet.set_column(at, at, width.shown)
    sheet.autofilter(0, 0, number, len(columns) - 1)
    return number
