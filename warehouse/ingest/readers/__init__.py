"""Reading log files as text: whatever the format, records come out as frames of strings, in batches of bounded size.

`open_records` is the way in. One module per format; `lines` serves the line-based ones, `records` holds what all give.
Nothing here knows a rule of a log: a reader tells records from broken lines, and files that can be read from those that
cannot.

Not here: whether a value is right (`models.logs`), where files are found (`warehouse.landing.scan`).
"""

from collections.abc import Iterator
from pathlib import Path

from warehouse.ingest.readers import csv_files, jsonl_files, parquet_files
from warehouse.ingest.readers.records import Layout, Records

_READERS = {"csv": csv_files.read, "jsonl": jsonl_files.read, "parquet": parquet_files.read}


def open_records(path: Path, layout: Layout) -> Iterator[Records]:
    """The records of a file, in order, in batches.

    The format is told by the file's extension; a file of no bytes has no records, whatever its extension.

    Raises:
        RefusedFile: the file as a whole cannot be taken; raised while iterating, possibly after some batches.
    """
    if path.stat().st_size == 0:
        return
    kind = path.name.removesuffix(".gz").rpartition(".")[2]
    yield from _READERS[kind](path, layout)
