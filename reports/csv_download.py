"""CSV downloads: DuckDB writes the rows of a page straight into the response, whatever their number.

They have the layout of the exports. An existing CSV export is sent with masked phone numbers where pages mask them. A
spreadsheet is sent unchanged: one that is requested on the pages is written with masked numbers.

Not here: the queries of the pages (`reports.queries`), writing exports (`warehouse.export`).
"""

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from models.marts import MartColumn, published_columns
from models.masking import FREE_TEXT_COLUMNS, ID_COLUMNS, PROVIDER_COLUMNS, masked, masked_in_ids, masked_number
from reports.database import Published, Selection
from warehouse.duckdb_tools import fetch_value
from warehouse.export import BLOCK_BYTES, FileFormat, Layout, copy_to_csv_sql, csv_blocks, read_header, value_sql

_NUMBER_CELL = re.compile(rb"""((?:^|,)"?'?)(\+[1-9][0-9]{6,14})(?="?(?:,|\r?\n|$))""", re.MULTILINE)


@dataclass(frozen=True)
class SelectedRows:
    """The rows of a selection for a file, with the headings and cells of a layout."""

    published: Published
    selection: Selection
    layout: Layout

    @property
    def report(self) -> str:
        return self.selection.mart

    @property
    def _cell_layout(self) -> Layout:
        """Numbers that are masked in the build are not masked again."""
        return replace(self.layout, masks_phone_numbers=False) if self.published.is_masked else self.layout

    def columns(self) -> list[tuple[MartColumn, str]]:
        """The columns, each with its heading."""
        if self.selection.columns is not None:
            return [(column, self.layout.titled(column, title)) for column, title in self.selection.columns]
        columns = published_columns(self.selection.mart, is_masked=self.published.is_masked)
        return [(column, self.layout.heading(self.selection.mart, column)) for column in columns]

    def row_count(self) -> int:
        query = f"select count(*) {self.selection.from_sql}"
        return int(fetch_value(self.published.connection, query, self.selection.parameters))

    def execute(self) -> duckdb.DuckDBPyConnection:
        """The rows as values."""
        cells = ", ".join(value_sql(column, self._cell_layout) for column, _ in self.columns())
        query = f"select {cells} {self.selection.from_sql} order by {self.selection.order_sql()}"
        return self.published.connection.execute(query, self.selection.parameters)

    def csv(self) -> Generator[bytes, None, int]:
        """The rows as CSV, in blocks of bytes."""
        order = self.selection.order_sql()
        statement = copy_to_csv_sql(self.columns(), self.selection.from_sql, order, self._cell_layout)
        return csv_blocks(self.published.connection, statement, self.selection.parameters, self.layout.start)


def write_csv(
    database: AbstractContextManager[Published], select: Callable[[Published], Selection], layout: Layout
) -> Iterator[bytes]:
    """The CSV in blocks of bytes. The build stays open until the last block; closing the iterator cancels the query.

    Raises:
        duckdb.Error: the query failed, possibly after some blocks: the response must then end without its end mark.
    """
    with database as published:
        yield from SelectedRows(published, select(published), layout).csv()


def read_file(local_copy: AbstractContextManager[Path], report: str, *, masks: bool) -> Iterator[bytes]:
    """An export of a report in blocks of bytes. With `masks`, phone numbers in a CSV are masked: cells that are a number, and
    numbers in ids, free text and the words of providers. The caller refuses a spreadsheet with whole numbers.
    """
    with local_copy as path, path.open("rb") as file:
        masks_cells = masks and path.suffix != f".{FileFormat.XLSX}"
        mask_text: Callable[[str], str] | None = None
        if masks_cells:
            header = file.readline()
            known = read_header(report, header.decode())
            # Of a file with an unknown header, every text is masked like an id.
            columns = set(known.columns) if known else ID_COLUMNS
            if columns & ID_COLUMNS:
                mask_text = masked_in_ids
            elif columns & (FREE_TEXT_COLUMNS | PROVIDER_COLUMNS):
                mask_text = masked
            yield header
        while block := file.read(BLOCK_BYTES):
            if masks_cells:
                # Up to the end of a line, so that no cell is split.
                block = _NUMBER_CELL.sub(_masked_cell, block + file.readline())
            yield mask_text(block.decode()).encode() if mask_text else block


def _masked_cell(match: re.Match[bytes]) -> bytes:
    return match[1] + masked_number(match[2].decode()).encode()
