"""The file that is attached to a mail: the campaigns of a link, or a report of all campaigns, as CSV or spreadsheet.

Phone numbers are masked as on the pages.

Not here: cells (`warehouse.export`), which campaigns (`reports.queries.campaign_table`).
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from reports.csv_download import SelectedRows
from reports.database import DATABASE, Published, Selection
from reports.formatting import size
from warehouse.config import Settings
from warehouse.export import FileFormat, Layout, ReportQuery

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


def attach_campaigns(
    settings: Settings, published: Published, selection: Selection, name: str, file_format: FileFormat
) -> Attachment:
    """The campaigns of a link, with the columns of the link."""
    rows = SelectedRows(
        published, selection, _layout(settings, file_format, masks=not settings.reports_show_phone_numbers)
    )
    if file_format is FileFormat.XLSX:
        return _spreadsheet(rows, name)
    return _limited(name, rows.row_count(), b"".join(rows.csv()))


def attach_report(
    settings: Settings, published: Published, report: str, name: str, file_format: FileFormat
) -> Attachment:
    """A report of all campaigns, as `sendmart export` writes it."""
    masks = not settings.reports_show_phone_numbers and not published.is_masked
    layout = _layout(settings, file_format, masks=masks)
    query = ReportQuery(published.connection, DATABASE, report, None, published.is_masked, layout)
    row_count = query.row_count()
    if row_count > MOST_ROWS:
        return Attachment(name, row_count, refusal=f"{row_count:,} rows are too many for an e-mail")
    if file_format is FileFormat.XLSX:
        return _spreadsheet(query, name)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.csv"
        query.copy_to_csv(file)
        return _limited(name, row_count, file.read_bytes())


def _layout(settings: Settings, file_format: FileFormat, *, masks: bool) -> Layout:
    is_raw = file_format is FileFormat.CSV and settings.export_csv_mode == "raw"
    return Layout(is_raw, settings.time_zone, masks_phone_numbers=masks)


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
