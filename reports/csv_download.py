"""CSV downloads: DuckDB writes the rows of a page straight into the response, whatever their number.

Cells are written as in exports, with text protected from being read as a formula where that is set. An existing CSV export is
sent with masked phone numbers where pages mask them. A spreadsheet is sent unchanged: one that is requested on the pages is
written with masked numbers.

Not here: the queries of the pages (`reports.queries`), writing exports
(`warehouse.export`).
"""

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import duckdb

from models.marts import published_columns
from models.masking import FREE_TEXT_COLUMNS, ID_COLUMNS, PROVIDER_COLUMNS, masked, masked_in_ids, masked_number
from reports.database import Published, Selection
from warehouse.export import FileFormat, copy_to_csv_sql

_BLOCK = 1 << 18
_NUMBER_CELL = re.compile(rb"""((?:^|,)"?'?)(\+[1-9][0-9]{6,14})(?="?(?:,|\r?\n|$))""", re.MULTILINE)


def write_csv(
    database: AbstractContextManager[Published], select: Callable[[Published], Selection], mode: str, *, masks: bool
) -> Iterator[bytes]:
    """The CSV in blocks of bytes. The build stays open until the last block; closing the iterator cancels the query.

    `mode`: `spreadsheet` protects text from being read as a formula, `raw` writes it as it is. `masks`: whether mobile
    numbers are masked.

    Raises:
        duckdb.Error: the query failed, possibly after some blocks: the response must then end without its end mark.
    """
    with database as published:
        selection = select(published)
        all_columns = published_columns(selection.mart, is_masked=published.is_masked)
        statement = copy_to_csv_sql(
            selection.columns or [(column, column.name) for column in all_columns],
            selection.from_sql,
            selection.order_sql(),
            "/dev/fd/{pipe}",
            mode,
            masks_phone_numbers=masks and not published.is_masked,
        )
        yield from _written(published.connection, statement, selection.parameters)


def _written(connection: duckdb.DuckDBPyConnection, statement: str, parameters: dict[str, Any]) -> Iterator[bytes]:
    """What DuckDB writes into a pipe, block by block, while it writes."""
    reading, writing = os.pipe()
    failed: list[BaseException] = []

    def write() -> None:
        try:
            connection.execute(statement.replace("{pipe}", str(writing)), parameters)
        except BaseException as error:
            failed.append(error)
        finally:
            os.close(writing)

    thread = threading.Thread(target=write, name="csv")
    thread.start()
    try:
        while block := os.read(reading, _BLOCK):
            yield block
    finally:
        os.close(reading)
        connection.interrupt()  # ends the query if the reader left early
        thread.join()
    if failed:
        raise failed[0]


def read_file(local_copy: AbstractContextManager[Path], *, masks: bool) -> Iterator[bytes]:
    """An export in blocks of bytes. With `masks`, phone numbers in a CSV are masked: cells that are a number, and numbers
    in ids, free text and the words of providers. The caller refuses a spreadsheet with whole numbers.
    """
    with local_copy as path, path.open("rb") as file:
        masks_cells = masks and path.suffix != f".{FileFormat.XLSX}"
        mask_text: Callable[[str], str] | None = None
        if masks_cells:
            header = file.readline()
            columns = set(header.decode().replace('"', "").strip().split(","))
            if columns & ID_COLUMNS:
                mask_text = masked_in_ids
            elif columns & (FREE_TEXT_COLUMNS | PROVIDER_COLUMNS):
                mask_text = masked
            yield header
        while block := file.read(_BLOCK):
            if masks_cells:
                # Up to the end of a line, so that no cell is split.
                block = _NUMBER_CELL.sub(_masked_cell, block + file.readline())
            yield mask_text(block.decode()).encode() if mask_text else block


def _masked_cell(match: re.Match[bytes]) -> bytes:
    return match[1] + masked_number(match[2].decode()).encode()
