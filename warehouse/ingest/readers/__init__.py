"""Readers of log files: for every format, they return records as data frames of strings, in batches of bounded size.

Readers know no rule of a log: they tell records from broken lines, and readable files from unreadable ones.
Not here: the rules for values (`models.logs`), the search for files (`warehouse.landing.scan`).
"""

import os
from collections.abc import Iterator
from pathlib import Path

from warehouse.ingest.readers import parquet_files
from warehouse.ingest.readers.csv_files import CsvReader
from warehouse.ingest.readers.json_files import JsonReader
from warehouse.ingest.readers.records import FileFormat, Layout, Records
from warehouse.landing import file_kind
from warehouse.storage import open_regular


def open_records(path: Path, layout: Layout, file_format: FileFormat | None = None) -> Iterator[Records]:
    """The records of a file, in order, in batches.

    Args:
        file_format: how the file is written. Without it, the extension gives the format, and the contract of the logs holds.

    An empty file has no records, whatever its format.

    Raises:
        RefusedFile: the file cannot be loaded; raised while iterating, possibly after some batches.
    """
    file_format = file_format or FileFormat(file_kind(path.name))
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size == 0:
            return
    if file_format.kind == "parquet":
        yield from parquet_files.read(path, layout)
    else:
        reader = CsvReader if file_format.kind == "csv" else JsonReader
        yield from reader(layout, file_format).read(path)
