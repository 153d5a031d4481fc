"""What is shown, as CSV: written by the database straight into the answer, however many rows there are.

Cells are those of the exports: no text can be taken for a formula where that is set. A CSV export that exists already is
sent with its phone numbers masked, where pages mask them. A spreadsheet is sent as it is: one that is requested on the pages
is written with masked numbers.

Not here: which rows (the pages say), exports that are kept (`warehouse.export.exports`).
"""

import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from models.marts import NUMBER, MartColumn
from models.masking import WORDS_COLUMNS, masked, masked_number
from reports.database import MARTS, Published
from warehouse.export import FileFormat, cell_sql

_BLOCK = 1 << 18
_NUMBER_CELL = re.compile(rb"""((?:^|,)"?'?)(\+[1-9][0-9]{6,14})(?="?(?:,|\r?\n|$))""", re.MULTILINE)


@dataclass(frozen=True)
class Selection:
    """Rows of a mart as a CSV has them: columns under their headers, a condition, an order."""

    mart: str
    columns: Sequence[tuple[MartColumn, str]]
    where: str
    order: str
    parameters: dict[str, Any]


def csv_of(
    opened: AbstractContextManager[Published], selection: Callable[[Published], Selection], mode: str, *, masks: bool
) -> Iterator[bytes]:
    """The CSV, block by block. The build stays open until the last; a reader who leaves ends the query.

    Raises:
        duckdb.Error: in the middle of an answer as well, which is then broken off, and not taken for whole.
    """
    with opened as published:
        statement, parameters = _statement(selection(published), mode, masks=masks and not published.is_masked)
        yield from _written(published.connection, statement, parameters)


def _statement(selection: Selection, mode: str, *, masks: bool) -> tuple[str, dict[str, Any]]:
    cells = ", ".join(
        f'{cell_sql(column, mode, masks_phone_numbers=masks and column.name == NUMBER)} as "{header}"'
        for column, header in selection.columns
    )
    texts = ", ".join(f'"{header}"' for column, header in selection.columns if column.sql_type == "varchar")
    quoting = f", force_quote ({texts})" if mode == "spreadsheet" and texts else ""
    # The names of the order are those of the mart, not of the cells.
    rows = f"select * from {MARTS}.{selection.mart} {selection.where}"
    order = ", ".join(f"mart.{key}" for key in selection.order.split(", "))
    return (
        f"copy (select {cells} from ({rows}) as mart order by {order})"
        f" to '/dev/fd/{{pipe}}' (format csv, header, delimiter ',', quote '\"', escape '\"', nullstr '', use_tmp_file false"
        f"{quoting})",
        selection.parameters,
    )


def _written(connection: duckdb.DuckDBPyConnection, statement: str, parameters: dict[str, Any]) -> Iterator[bytes]:
    """What DuckDB writes into a pipe, while it writes."""
    reading, writing = os.pipe()
    failed: list[BaseException] = []

    def write() -> None:
        try:
            connection.execute(statement.format(pipe=writing), parameters)
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
        connection.interrupt()  # whoever left early waits for no query
        thread.join()
    if failed:
        raise failed[0]


def file_of(local_copy: AbstractContextManager[Path], *, masks: bool) -> Iterator[bytes]:
    """An export, block by block. With `masks`, phone numbers in a CSV are masked: cells that hold a number, and numbers in
    free text. The caller refuses a spreadsheet with whole numbers.
    """
    with local_copy as path:
        yield from _bytes_of(path, masks=masks and path.suffix != f".{FileFormat.XLSX}")


def _bytes_of(path: Path, *, masks: bool) -> Iterator[bytes]:
    with path.open("rb") as file:
        if not masks:
            while block := file.read(_BLOCK):
                yield block
            return
        header = file.readline()
        yield header
        has_words = not WORDS_COLUMNS.isdisjoint(header.decode().replace('"', "").strip().split(","))
        while block := file.read(_BLOCK):
            # To the end of a line: a cell lies in one block.
            block += file.readline()
            block = _NUMBER_CELL.sub(_masked_cell, block)
            yield masked(block.decode()).encode() if has_words else block


def _masked_cell(found: re.Match[bytes]) -> bytes:
    return found[1] + masked_number(found[2].decode()).encode()
