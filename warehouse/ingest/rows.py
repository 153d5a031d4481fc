"""The rows of one file as text, whether it is written in the contract of its log or mapped by a source.

Not here: the formats (`warehouse.ingest.readers`), the mappings (`warehouse.ingest.sources`), validation and staging.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from models.enums import Log
from models.logs import COLUMNS
from models.source_mapping import Source
from models.text_types import ID
from warehouse.ingest.readers import open_records
from warehouse.ingest.readers.records import Layout, Records
from warehouse.ingest.sources import file_format, map_records, mapper_of


def rows_of(path: Path, log: Log, source: Source | None, name: str, log_date: date) -> Iterator[Records]:
    """The rows of a log that a file holds, in batches. A mapping may use its name below the landing zone and its log date.

    Raises:
        RefusedFile: the file cannot be loaded; raised while iterating, possibly after some batches.
    """
    if source is None:
        columns = COLUMNS[log]
        required = tuple(column.name for column in columns if column.must_be_in_file)
        ids = frozenset(column.name for column in columns if column.read_as == ID)
        yield from open_records(path, Layout(tuple(column.name for column in columns), required, ids=ids))
    elif source.mapping is not None and log in source.mapping.logs:
        mapper = mapper_of(source, log)
        yield from map_records(mapper, open_records(path, mapper.layout, file_format(source.mapping)), name, log_date)
