"""CSV downloads: DuckDB writes the rows of a page straight into the response, whatever their number.

Cells are written as in exports, with text protected from being read as a formula where that is set. An existing CSV export is
sent with masked phone numbers where pages mask them. A spreadsheet is sent unchanged: one that is requested on the pages is
written with masked numbers.

Not here: the queries of the pages (`reports.campaign`, `reports.campaign_table`), writing exports
(`warehouse.export`).
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
    """The rows of a CSV: a mart, its columns with their headers, an SQL condition with parameters, and an order."""

    mart: str
    columns: Sequence[tuple[MartColumn, str]]
    where: str
    order: str
    parameters: dict[str, Any]


def write_csv(
    database: AbstractContextManager[Published], selection: Callable[[Published], Selection], mode: str, *, masks: bool
) -> Iterator[bytes]:
    """The CSV in blocks of bytes. The build stays open until the last block; closing the iterator cancels the query.

    Args:
        database: opens the published build.
        selection: the rows to write.
        mode: `spreadsheet` protects text from being read as a formula, `plain` writes it as it is.
        masks: whether mobile numbers are masked.

    Raises:
        duckdb.Error: the query failed, possibly after some blocks: the response must then end without its end mark.
    """
    with database as published:
        statement, parameters = _statement(selection(published), mode, masks=masks and not published.is_masked)
        yield from _written(published.connection, statement, parameters)


def _statement(selection: Selection, mode: str, *, masks: bool) -> tuple[str, dict[str, Any]]:
    cells = ", ".join(
        f'{cell_sql(column, mode, masks_phone_numbers=masks and column.name == NUMBER)} as "{header}"'
        for column, header in selection.columns
    )
    texts = ", ".join(f'"{header}"' for column, header in selection.columns if column.sql_type == "varchar")
    quoting = f", force_quote ({texts})" if mode == "spreadsheet" and texts else ""
    # The order is by columns of the mart, not by the written cells.
    rows = f"select * from {MARTS}.{selection.mart} {selection.where}"
    order = ", ".join(f"mart.{key}" for key in selection.order.split(", "))
    return (
        f"copy (select {cells} from ({rows}) as mart order by {order})"
        f" to '/dev/fd/{{pipe}}' (format csv, header, delimiter ',', quote '\"', escape '\"', nullstr '', use_tmp_file false"
        f"{quoting})",
        selection.parameters,
    )


def _written(connection: duckdb.DuckDBPyConnection, statement: str, parameters: dict[str, Any]) -> Iterator[bytes]:
    """What DuckDB writes into a pipe, block by block, while it writes."""
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
        connection.interrupt()  # ends the query if the reader left early
        thread.join()
    if failed:
        raise failed[0]


def read_file(local_copy: AbstractContextManager[Path], *, masks: bool) -> Iterator[bytes]:
    """An export in blocks of bytes. With `masks`, phone numbers in a CSV are masked: cells that are a number, and numbers
    in free text. The caller refuses a spreadsheet with whole numbers.
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
            # Up to the end of a line, so that no cell is split.
            block += file.readline()
            block = _NUMBER_CELL.sub(_masked_cell, block)
            yield masked(block.decode()).encode() if has_words else block


def _masked_cell(match: re.Match[bytes]) -> bytes:
    return match[1] + masked_number(match[2].decode()).encode()
