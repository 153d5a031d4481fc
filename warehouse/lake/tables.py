"""Lake and quarantine: Parquet files by log and log date, one for each log file, for DuckDB, Spark and other tools.

`lake/<log>/log_date=YYYY-MM-DD/<name>.parquet` holds the accepted rows of a log file, `quarantine/` in the same layout the
rejected ones. The name follows from the log file's, so that a new version replaces the old one in one rename.

Not here: the record of loaded files (`warehouse.ledger`), the order of a load (`warehouse.ingest.load`).
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TypeVar

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from models.enums import Log
from models.logs import COLUMNS, EVENT_TIME
from warehouse.config import DataPaths
from warehouse.duckdb_tools import enable_s3, literal, new_session, preview_rows
from warehouse.ledger import LogFile
from warehouse.storage import AnyPath, Checksum, atomic_replace, is_object, names_in, remove

ROW_GROUP_ROWS = 122_880
"""DuckDB reads one row group per thread; this is its own default size."""

DICTIONARY_SAMPLE_ROWS = 10_000
RAW_ROW_BYTES = 64 << 10
_HEADER = "sendmart.header"
DATA_FILE = re.compile(r"log_date=[^/]+/[^./][^/]*\.parquet")
SOURCE_ROW_COLUMNS = {"source_file": pl.String(), "row_number": pl.Int64()}
QUARANTINE_SCHEMA = {
    "source_file": pl.String(),
    "row_number": pl.Int64(),
    "reasons": pl.List(pl.String()),
    "raw_row": pl.String(),
    # Of a source, the contact and number that the mapping gives: they may stand otherwise in the raw row, and be erased.
    "identifiers": pl.List(pl.String()),
}
Root = TypeVar("Root", Path, AnyPath)
"""The root of the lake or the quarantine."""


def lake_schema(log: Log) -> dict[str, pl.DataType]:
    """The columns of a log in the lake: those of its contract, source file and row number."""
    return {column.name: column.read_as.dtype for column in COLUMNS[log]} | SOURCE_ROW_COLUMNS


def partition(root: Root, log: Log, log_date: str) -> Root:
    return root / log / f"log_date={log_date}"


def path_of(root: Root, file: LogFile) -> Root:
    """The file with the rows of a log file, below the root of lake or quarantine."""
    return partition(root, file.log, file.log_date.isoformat()) / f"{file_name(file.source_file)}.parquet"


def file_name(source_file: str) -> str:
    """The name of a log file as part of another file name: plain characters, and a hash that makes it unique."""
    readable = re.sub(r"[^A-Za-z0-9-]+", "-", source_file).strip("-")[:80]
    digest = hashlib.sha256(source_file.encode()).hexdigest()[:12]
    return f"{readable}-{digest}"


@cache
def _arrow_schema(columns: tuple[tuple[str, pl.DataType], ...]) -> pa.Schema:
    return pl.DataFrame(schema=dict(columns)).to_arrow().schema


@dataclass(frozen=True)
class StagedParquet:
    """All rows of one log file in a temporary Parquet file; without rows there is no file and no checksum."""

    path: AnyPath
    temp_path: Path
    rows: int = 0
    checksum: Checksum | None = None

    def commit(self) -> dict[AnyPath, Checksum]:
        """Replaces or, without rows, removes the previous version; returns the checksum of the new file by its path."""
        if self.checksum is None:
            remove(self.path)
            return {}
        atomic_replace(self.temp_path, self.path)
        return {self.path: self.checksum}

    def discard(self) -> None:
        """Deletes the temporary file; the previous version stays."""
        self.temp_path.unlink(missing_ok=True)


class RowWriter:
    """Writes the rows of one log file to a temporary file, which is then committed or discarded as a whole."""

    def __init__(self, path: AnyPath, temp_path: Path, schema: dict[str, pl.DataType], order_by: str | None) -> None:
        self._staged = StagedParquet(path, temp_path)
        self._schema = _arrow_schema(tuple(schema.items()))
        self._order_by = order_by
        self._writer: pq.ParquetWriter | None = None
        self.rows = 0
        self.header: Sequence[str] = ()
        """The columns of the log file in its order, recorded for raw rows that do not name their columns."""

    def write(self, rows: pl.DataFrame) -> None:
        if rows.is_empty():
            return
        rows = rows[self._schema.names]
        if self._writer is None:
            file, repetitive = self._staged.temp_path, _repetitive_columns(rows)
            file.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(
                file, self._schema, compression="zstd", store_decimal_as_integer=True, use_dictionary=repetitive
            )
        if self._order_by:
            rows = rows.sort(self._order_by)
        self._writer.write_table(rows.to_arrow().cast(self._schema), row_group_size=ROW_GROUP_ROWS)
        self.rows += rows.height

    def finish(self) -> StagedParquet:
        """Closes the temporary file; to be called after the last row."""
        if self._writer is not None:
            self._close()
            self._staged = replace(self._staged, rows=self.rows, checksum=Checksum.of(self._staged.temp_path))
        return self._staged

    def discard(self) -> None:
        """Deletes the temporary file and forgets its rows; the previous version stays."""
        self._close()
        self._staged.discard()
        self._staged, self.rows = replace(self._staged, rows=0, checksum=None), 0

    def _close(self) -> None:
        if self._writer is not None:
            if self.header:
                self._writer.add_key_value_metadata({_HEADER: json.dumps(list(self.header))})
            self._writer.close()
            self._writer = None


def _repetitive_columns(rows: pl.DataFrame) -> list[str]:
    """The columns to encode with a dictionary; for ids and times it would only cost time and space."""
    first = rows.head(DICTIONARY_SAMPLE_ROWS)
    return [
        name for name in first.columns if first[name].dtype == pl.String and first[name].n_unique() * 2 < len(first)
    ]


def writers(paths: DataPaths, file: LogFile, by: str) -> tuple[RowWriter, RowWriter]:
    """The writers of a log file's accepted and rejected rows. `by` names the load in the names of the temporary files."""
    accepted, rejected = path_of(paths.lake, file), path_of(paths.quarantine, file)
    return (
        RowWriter(accepted, paths.temp_path(accepted, by), lake_schema(file.log), EVENT_TIME[file.log]),
        RowWriter(rejected, paths.temp_path(rejected, by), QUARANTINE_SCHEMA, None),
    )


def files(root: AnyPath, log: Log) -> list[AnyPath]:
    """The files of a log in lake or quarantine, in the order of log dates."""
    return [root / log / name for name in names_in(root / log) if DATA_FILE.fullmatch(name)]


def header_of(path: Path) -> list[str] | None:
    """The recorded columns of the log file of a quarantine file; None if its raw rows name their columns."""
    metadata = pq.read_metadata(path).metadata or {}
    header = metadata.get(_HEADER.encode())
    return list(json.loads(header)) if header else None


def existing(candidates: Iterable[AnyPath]) -> set[AnyPath]:
    """The files that exist; in an object store, found by one listing per log date."""
    candidates = list(candidates)
    existing: set[AnyPath] = {path for path in candidates if not is_object(path) and path.exists()}
    for folder in {path.parent for path in candidates if is_object(path)}:
        existing |= {folder / name for name in names_in(folder)}
    return existing & set(candidates)


def empty_file(root: Root, log: Log) -> Root:
    """The file of the lake that has the columns of a log and no rows."""
    return partition(root, log, "1970-01-01") / "empty.parquet"


def ensure_lake(paths: DataPaths) -> None:
    """Writes the empty file of each log with the columns of its contract, so that the lake can always be read.

    A glob without a match would be an error, and the files of an older version may lack a column, which is then null, or
    hold a narrower type, which is then widened.
    """
    for log in Log:
        empty = empty_file(paths.lake, log)
        if not _has_columns(paths, empty, lake_schema(log)):
            with paths.atomic_write(empty) as temp_path:
                pl.DataFrame(schema=lake_schema(log)).write_parquet(temp_path)


def _has_columns(paths: DataPaths, file: AnyPath, columns: dict[str, pl.DataType]) -> bool:
    try:
        with paths.local_copy(file) as local_copy:
            return list(schema_of(local_copy).items()) == list(columns.items())
    except (FileNotFoundError, pl.exceptions.PolarsError):  # missing or damaged
        return False


def schema_of(file: Path) -> dict[str, pl.DataType]:
    """The columns of a Parquet file. It is opened here: polars would take its path for a glob."""
    with file.open("rb") as opened:
        return dict(pl.read_parquet_schema(opened))


def lake_preview(paths: DataPaths, log: Log) -> str:
    """A few rows of a log, from the file of its latest log date, as a Markdown table."""
    newest = files(paths.lake, log)[-1]
    with new_session() as connection:
        enable_s3(connection, paths.lake)
        return preview_rows(connection, f"read_parquet({literal(newest)})")


def cut_raw_row(raw: str) -> str:
    """The first 64 KiB of a raw row, in UTF-8: as much as the quarantine keeps."""
    if len(raw) * 4 <= RAW_ROW_BYTES:
        return raw
    return raw.encode()[:RAW_ROW_BYTES].decode(errors="ignore")
