"""CSV as DuckDB writes it, block by block while it writes: into a response or a file, in constant memory.

Not here: the statement (`warehouse.export.report_sql`).
"""

import hashlib
import os
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from warehouse.duckdb_tools import fetch_value

PIPE = "/dev/fd/{pipe}"
"""The file of a `copy` statement whose CSV is read in blocks."""

BLOCK_BYTES = 1 << 18


def csv_blocks(
    connection: duckdb.DuckDBPyConnection, statement: str, parameters: dict[str, Any], start: bytes = b""
) -> Generator[bytes, None, int]:
    """The blocks of a CSV that `statement` copies to `PIPE`, after the bytes of `start`. Returns the number of rows.

    Closing the generator cancels the query. Raises the error of the query, possibly after some blocks.
    """
    reading, writing = os.pipe()
    rows: list[int] = []
    failed: list[BaseException] = []

    def write() -> None:
        try:
            rows.append(int(fetch_value(connection, statement.replace("{pipe}", str(writing)), parameters)))
        except BaseException as error:
            failed.append(error)
        finally:
            os.close(writing)

    thread = threading.Thread(target=write, name="csv")
    thread.start()
    try:
        while block := os.read(reading, BLOCK_BYTES):
            yield start + block
            start = b""
    finally:
        os.close(reading)
        if thread.is_alive():
            connection.interrupt()  # ends the query if the reader left early
        thread.join()
    if failed:
        raise failed[0]
    return rows[0]


class WrittenCsv(NamedTuple):
    """The number of rows of a CSV file, and its SHA-256 in hexadecimal digits."""

    rows: int
    sha256: str


def write_blocks(file: Path, blocks: Generator[bytes, None, int]) -> WrittenCsv:
    """Writes the blocks to a file. An OSError names the file."""
    digest = hashlib.sha256()
    try:
        with file.open("wb") as opened:
            while True:
                try:
                    block = next(blocks)
                except StopIteration as end:
                    return WrittenCsv(int(end.value), digest.hexdigest())
                opened.write(block)
                digest.update(block)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(file)) from error
    finally:
        blocks.close()
