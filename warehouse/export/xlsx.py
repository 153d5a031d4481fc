"""Writes the rows of a report to a spreadsheet (XLSX), row by row in constant memory.

Text is text: no cell holds a formula, and none becomes one when it is edited. Counts, money and rates are numbers.
Timestamps are dates, in UTC. A sheet holds 1,048,576 rows; the caller refuses more. A cell holds 32,767 characters;
longer text is cut.

Not here: which rows (`warehouse.export.report_sql`). No module reads a spreadsheet back.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.marts import MartColumn

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

MOST_ROWS = 1_048_576 - 1
"""The rows of a sheet without the header."""


def write(rows: Iterable[Sequence[Any]], columns: Sequence[tuple[MartColumn, str]], file: Path, scratch: Path) -> int:
    """Writes rows under the headers of their columns. Returns the number of rows.

    `scratch` is a folder for temporary files.
    """
    # Imported here because it is slow to import, and most processes write no spreadsheet.
    from xlsxwriter import Workbook
    from xlsxwriter.exceptions import FileCreateError

    scratch.mkdir(parents=True, exist_ok=True)
    try:
        with Workbook(file, {"constant_memory": True, "tmpdir": str(scratch)}) as workbook:
            return _write(workbook, rows, columns)
    except FileCreateError as error:
        raise OSError(str(error)) from error


def _write(workbook: "Workbook", rows: Iterable[Sequence[Any]], columns: Sequence[tuple[MartColumn, str]]) -> int:
    sheet = workbook.add_worksheet("Report", _text_only())
    header = workbook.add_format({"bold": True, "num_format": "@"})
    formats = [workbook.add_format({"num_format": _format(column)}) for column, _ in columns]
    writers = [_writer(sheet, column) for column, _ in columns]
    sheet.set_column(0, len(columns) - 1, 20)
    sheet.freeze_panes(1, 0)
    sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{MOST_ROWS + 1}"})
    for at, (_, name) in enumerate(columns):
        sheet.write_string(0, at, name, header)
    number = 0
    for number, row in enumerate(rows, start=1):
        for at, value in enumerate(row):
            if value is not None:
                writers[at](number, at, value, formats[at])
    sheet.autofilter(0, 0, number, len(columns) - 1)
    return number


def _text_only() -> type:
    from xlsxwriter.worksheet import Worksheet

    class TextOnly(Worksheet):  # type: ignore[misc]  # the library ships no types
        """Writes text that looks like the library's own rich-text markup as text."""

        def _xml_rich_inline_string(self, string: str, attributes: Sequence[tuple[str, Any]] = ()) -> None:
            self._xml_inline_string(string, False, attributes)

    return TextOnly


def _format(column: MartColumn) -> str:
    if column.sql_type == "varchar":
        return "@"  # stays text when the cell is edited
    if column.sql_type == "timestamp":
        return 'yyyy-mm-dd hh:mm:ss"Z"'
    if column.sql_type.startswith("decimal"):
        return "#,##0.00"
    return "0.00%" if column.sql_type == "double" else "#,##0"


def _writer(sheet: "Worksheet", column: MartColumn) -> Any:
    if column.sql_type == "varchar":
        return sheet.write_string
    return sheet.write_datetime if column.sql_type == "timestamp" else sheet.write_number
