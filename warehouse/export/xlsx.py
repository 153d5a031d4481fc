"""Writes a report to a spreadsheet (XLSX), row by row in constant memory.

Text is text: no cell holds a formula, and none becomes one when it is edited. Counts, money and rates are numbers.
Timestamps are dates, in UTC. A sheet holds 1,048,576 rows. A cell holds 32,767 characters; longer text is cut.

Not here: which rows (`warehouse.export.report_sql`). No module reads a spreadsheet back.
"""

import re
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

_NUMBER_FORMATS = {
    "varchar": "@",  # stays text when the cell is edited
    "timestamp": 'yyyy-mm-dd hh:mm:ss"Z"',
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
    sheet.set_column(0, len(columns) - 1, 20)
    sheet.freeze_panes(1, 0)
    sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{MOST_ROWS + 1}"})
    for at, (_, name) in enumerate(columns):
        sheet.write_string(0, at, name, header)
    cursor, number = query.execute(), 0
    while rows := cursor.fetchmany(_ROWS_PER_BATCH):
        for row in rows:
            number += 1
            for at, ((write_cell, cell_format), value) in enumerate(zip(cells, row, strict=True)):
                if value is not None:
                    write_cell(number, at, value, cell_format)
    sheet.autofilter(0, 0, number, len(columns) - 1)
    return number
