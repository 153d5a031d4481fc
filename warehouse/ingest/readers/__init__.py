"""Readers of log files: for every format, they return records as data frames of strings, in batches of bounded size.

Readers know no rule of a log: they tell records from broken lines, and readable files from unreadable ones.
Not here: the rules for values (`models.logs`), the search for files (`warehouse.landing.scan`).
"""

import os
from collections.abc import Iterator
from pathlib import Path

from warehouse.ingest.readers import parquet_files
from warehouse.ingest.readers.csv_files import CsvReader
from warehouse.ingest.readers.jsonl_files import JsonlReader
from warehouse.ingest.readers.records import Layout, Records
from warehouse.storage import open_regular


def open_records(path: Path, layout: Layout) -> Iterator[Records]:
    """The records of a file, in order, in batches.

    The extension of the file gives the format; an empty file has no records, whatever its extension.

    Raises:
        RefusedFile: the file cannot be loaded; raised while iterating, possibly after some batches.
    """
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size == 0:
            return
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    if kind == "parquet":
        yield from parquet_files.read(path, layout)
    else:
        yield from {"csv": CsvReader, "jsonl": JsonlReader}[kind](layout).read(path)
