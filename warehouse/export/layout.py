"""How an export is laid out: for programs as the marts are, for people in the words and the time zone of the reports.

Not here: the rows of a report (`warehouse.export.report_sql`), the labels (`models.labels`).
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zoneinfo import ZoneInfo

from models.labels import label
from models.marts import MartColumn, published_columns

BYTE_ORDER_MARK = "\ufeff".encode()
"""Excel reads a CSV as UTF-8 if it begins with this mark."""


@dataclass(frozen=True)
class Layout:
    """The layout of a file. `is_raw`: for programs, with the names of columns and times in UTC; such a file never changes.

    Otherwise it is for people: columns have labels, times are in `zone`, no text can be read as a formula, and a CSV begins
    with a byte-order mark. `masks_phone_numbers`: whether phone numbers are masked.
    """

    is_raw: bool
    zone: ZoneInfo
    masks_phone_numbers: bool = False

    @property
    def start(self) -> bytes:
        """The first bytes of a CSV."""
        return b"" if self.is_raw else BYTE_ORDER_MARK

    @property
    def time_zone(self) -> str:
        """The time zone of the times in the file."""
        return "UTC" if self.is_raw else str(self.zone)

    def heading(self, report: str, column: MartColumn) -> str:
        """The heading of a column of a report. The campaign table has had its labels in raw files, too, since release 0.1."""
        if self.is_raw:
            return column.label if report == "campaign_metrics" else column.name
        return self.titled(column, column.label)

    def titled(self, column: MartColumn, title: str) -> str:
        """A title of a column as a heading: that of a time names its time zone, except in a raw file."""
        return f"{title} ({self.zone})" if column.sql_type == "timestamp" and not self.is_raw else title


class Header(NamedTuple):
    """The header of a CSV export: its headings, and the columns that they stand for."""

    headings: list[str]
    columns: list[str]
    is_marked: bool
    """Whether a byte-order mark is in front: the file is in spreadsheet mode."""


def read_header(report: str, line: str, columns: Sequence[str] | None = None) -> Header | None:
    """The header of an export in any layout; None if it is none of this report's.

    `columns` are those of its `.json`, which earlier releases did not write.
    """
    is_marked = line.startswith("\ufeff")
    headings = next(csv.reader([line.removeprefix("\ufeff").rstrip("\r\n")]), [])
    published = published_columns(report, is_masked=True)
    names = {column.name for column in published}
    by_label = {label(report, column.name): column for column in published}

    def column_of(heading: str) -> str | None:
        if heading in names:
            return heading
        title, _, zone = heading.partition(" (")
        column = by_label.get(title)
        return column.name if column and bool(zone) <= (column.sql_type == "timestamp") else None

    if columns is not None and len(columns) == len(headings) and names.issuperset(columns):
        found = list(columns)
    else:
        found = [column for heading in headings if (column := column_of(heading))]
    return Header(headings, found, is_marked) if len(found) == len(headings) == len(set(found)) else None
