"""Sources: raw records of other systems' exports become rows of the logs, by the expressions of a mapping file.

Not here: the format of a mapping file (`models.source_mapping`), reading raw files (`warehouse.ingest.readers`), the search
for files in the landing zone (`warehouse.landing.scan`).
"""

from warehouse.ingest.sources.catalogue import (
    MappingInvalid,
    has_mapping_files,
    load_sources,
    mapping_file,
    read_mapping,
)
from warehouse.ingest.sources.expressions import fields_of_log
from warehouse.ingest.sources.mapper import file_format, map_records, mapper_of

__all__ = [
    "MappingInvalid", "fields_of_log", "file_format", "has_mapping_files", "load_sources", "map_records", "mapper_of",
    "mapping_file", "read_mapping",
]  # fmt: skip
