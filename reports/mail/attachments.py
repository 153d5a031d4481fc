"""The file that is attached to a mail: the campaigns of a link, or a report of all campaigns, as CSV or spreadsheet.

Phone numbers are masked as on the pages.

Not here: cells (`warehouse.export`), which campaigns (`reports.queries.campaign_table`).
"""

import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import duckdb

from models.marts import MartColumn, published_columns
from reports.csv_download import write_csv
from reports.database import DATABASE, Published, Selection
from reports.formatting import size
from warehouse.config import Settings
from warehouse.duckdb_tools import fetch_value
from warehouse.export import FileFormat, ReportQuery, value_sql

MOST_BYTES = 10_000_000
"""The largest attachment: mail servers take 20 to 25 MB, and a mail is a third larger than its files."""

MOST_ROWS = 500_000
"""More rows are not written at all: no file of them is small enough."""


@dataclass(frozen=True)
class Attachment:
    """A file, or the reason why there is none in `refusal`."""

    name: str
    rows: int
    content: bytes = b""
    refusal: str = ""


@dataclass(frozen=True)
class SelectedRows:
    """The rows of a selection, for a spreadsheet."""

    published: Published
    selection: Selection
    masks: bool

    @property
    def report(self) -> str:
        return self.selection.mart

    def columns(self) -> list[tuple[MartColumn, str]]:
        if self.selection.columns is not None:
            return list(self.selection.columns)
        columns = published_columns(self.selection.mart, is_masked=self.published.is_masked)
        return [(column, column.name) for column in columns]

    def row_count(self) -> int:
        query = f"select count(*) {self.selection.from_sql}"
        return int(fetch_value(self.published.connection, query, self.selection.parameters))

    def execute(self) -> duckdb.DuckDBPyConnection:
        masks = self.masks and not self.published.is_masked
        cells = ", ".join(value_sql(column, masks_phone_numbers=masks) for column, _ in self.columns())
        query = f"select {cells} {self.selection.from_sql} order by {self.selection.order_sql()}"
        return self.published.connection.execute(query, self.selection.parameters)


def attach_campaigns(
    settings: Settings, published: Published, selection: Selection, name: str, file_format: FileFormat
) -> Attachment:
    """The campaigns of a link, with the columns of the link."""
    masks = not settings.reports_show_phone_numbers
    rows = SelectedRows(published, selection, masks)
    if file_format is FileFormat.XLSX:
        return _spreadsheet(rows, name)
    blocks = write_csv(nullcontext(published), lambda _: selection, settings.export_csv_mode, masks=masks)
    return _limited(name, rows.row_count(), b"".join(blocks))


def attach_report(
    settings: Settings, published: Published, report: str, name: str, file_format: FileFormat
) -> Attachment:
    """A report of all campaigns, as `sendmart export` writes it."""
    masks = not settings.reports_show_phone_numbers and not published.is_masked
    query = ReportQuery(published.connection, DATABASE, report, None, published.is_masked, masks)
    row_count = query.row_count()
    if row_count > MOST_ROWS:
        return Attachment(name, row_count, refusal=f"{row_count:,} rows are too many for an e-mail")
    if file_format is FileFormat.XLSX:
        return _spreadsheet(query, name)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.csv"
        query.copy_to_csv(file, settings.export_csv_mode)
        return _limited(name, row_count, file.read_bytes())


def _spreadsheet(rows: SelectedRows | ReportQuery, name: str) -> Attachment:
    # Imported here because it is slow to import, and most mails have no spreadsheet.
    from warehouse.export import xlsx

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.xlsx"
        row_count = xlsx.write(rows, file, Path(folder))
        return _limited(name, row_count, file.read_bytes())


def _limited(name: str, rows: int, content: bytes) -> Attachment:
    if len(content) > MOST_BYTES:
        return Attachment(name, rows, refusal=f"{size(len(content))} are too much for an e-mail")
    return Attachment(name, rows, content)
