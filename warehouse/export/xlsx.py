"""Spreadsheets (XLSX) of a report's rows: written row by row, and read again for what stands in their text.

Text is text, whatever it looks like: no cell holds a formula, and none turns into one when it is edited. Counts, money and
rates are numbers, moments are dates, in UTC. A sheet ends at 1,048,576 rows: whoever asks refuses what is longer. A cell ends
at 32,767 characters, and text at its end.

What is read here was written here: each text stands in its cell. A file that another program has saved since may keep its
text elsewhere, and is not read.

Not here: which rows (`warehouse.export.exports`).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, unescape
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

from models.marts import MartColumn

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

MOST_ROWS = 1_048_576 - 1
"""Beside the header."""

_SHEET = "xl/worksheets/sheet1.xml"
_PARTS = [
    *("[Content_Types].xml", "_rels/.rels", "xl/_rels/workbook.xml.rels", _SHEET, "xl/workbook.xml", "xl/styles.xml"),
    *("xl/theme/theme1.xml", "docProps/core.xml", "docProps/app.xml"),
]
"""What a file holds as it is written here. Other programs write other parts, or the same in another order."""
_CELL = re.compile(r'(<c r="([A-Z]+)([0-9]+)"[^>]* t="inlineStr"><is><t[^>]*>)([^<]*)(?=</t>)')
_SIGN = re.compile(r"_x([0-9A-F]{4})_")
_BLOCK = 1 << 18


class UnknownXlsxLayout(Exception):
    """The file is not as it was written here."""


def write(rows: Iterable[Sequence[Any]], columns: Sequence[tuple[MartColumn, str]], file: Path, scratch: Path) -> int:
    """Writes rows of these columns, each under its header; gives their number. `scratch` holds them on the way."""
    # It takes a while to import, and most of those who import this module write no spreadsheet.
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

    class TextOnly(Worksheet):
        """The library takes text that begins and ends like its own markup for markup, and would write it as such."""

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


def _writer(sheet: "Worksheet", column: MartColumn) -> Callable[..., int]:
    if column.sql_type == "varchar":
        return sheet.write_string
    return sheet.write_datetime if column.sql_type == "timestamp" else sheet.write_number


def texts(file: Path) -> Iterator[tuple[str, str]]:
    """Every text of a spreadsheet below the header, after the name of its column.

    Raises:
        UnknownXlsxLayout: it is not as it was written here.
    """
    found: list[tuple[str, str]] = []

    def note(column: str, text: str) -> str:
        found.append((column, text))
        return text

    with _opened(file) as archive:
        for _ in _changed(archive, note):
            yield from found
            found.clear()


def with_texts(file: Path, change: Callable[[str, str], str]) -> Iterator[bytes]:
    """A spreadsheet, block by block, in which each text below the header is what `change` makes of column and text.

    Raises:
        UnknownXlsxLayout: it is not as it was written here.
    """
    sink = _Sink()
    with _opened(file) as archive, ZipFile(sink, "w", ZIP_DEFLATED) as written:
        for entry in archive.infolist():
            with written.open(entry.filename, "w", force_zip64=entry.file_size > 1 << 31) as part:
                pieces = _changed(archive, change) if entry.filename == _SHEET else [archive.read(entry)]
                for piece in pieces:
                    part.write(piece)
                    yield sink.taken()
    yield sink.taken()


class _Sink:
    """Takes what an archive writes, and hands it on."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, block: bytes) -> int:
        self._written += block
        return len(block)

    def flush(self) -> None:
        """There is nothing behind it."""

    def taken(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


def _opened(file: Path) -> ZipFile:
    try:
        archive = ZipFile(file)
    except BadZipFile as error:
        raise UnknownXlsxLayout(f"{file.name} is no spreadsheet") from error
    if archive.namelist() != _PARTS:
        archive.close()
        raise UnknownXlsxLayout(f"{file.name} was saved by another program")
    return archive


def _changed(archive: ZipFile, change: Callable[[str, str], str]) -> Iterator[bytes]:
    """The sheet with its texts changed, in pieces that end with a cell."""
    names: dict[str, str] = {}

    def changed(cell: re.Match[str]) -> str:
        before, letters, row, markup = cell.groups()
        text = _read(markup)
        if row == "1":
            names[letters] = text
            return cell[0]
        after = change(names[letters], text)
        return cell[0] if after == text else before + escape(after)

    with archive.open(_SHEET) as sheet:
        rest = b""
        while block := sheet.read(_BLOCK):
            whole, end, rest = (rest + block).rpartition(b"</c>")
            yield _CELL.sub(changed, (whole + end).decode()).encode()
        yield rest


def _read(markup: str) -> str:
    return _SIGN.sub(lambda sign: chr(int(sign[1], 16)), unescape(markup)) if "&" in markup or "_" in markup else markup
