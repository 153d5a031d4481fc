"""The lake and the quarantine: Parquet by log and log date, one file for every log file that gave rows.

`lake/<log>/log_date=YYYY-MM-DD/<name>.parquet` holds accepted rows, typed as the contract says, with the file and row
number they came from; `quarantine/` is laid out the same and holds rejected rows with their reasons. A log file's name
decides its place, so that new content replaces the old in one rename, and a killed load leaves the old. Plain Parquet in
Hive partitions: DuckDB, Spark and people read the same files.

Not here: what was taken from where (`warehouse.ledger`), the order of a load (`warehouse.ingest.load`).
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Protocol

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from models.enums import Log
from models.logs import COLUMNS, EVENT_TIME
from warehouse.config import DataPaths
from warehouse.duckdb_tools import enable_s3, literal, preview_rows
from warehouse.landing import LandingFile
from warehouse.storage import AnyPath, Checksum, atomic_replace, is_object, names_in, remove

ROW_GROUP_ROWS = 122_880
"""DuckDB reads a row group per thread; this is the size it writes itself."""

DICTIONARY_SAMPLE_ROWS = 10_000
RAW_ROW_BYTES = 64 << 10
_HEADER = "sendmart.header"
DATA_FILE = re.compile(r"log_date=[^/]+/[^./][^/]*\.parquet")
LINEAGE = {"source_file": pl.String(), "row_number": pl.Int64()}
QUARANTINE_SCHEMA = {
    "source_file": pl.String(),
    "row_number": pl.Int64(),
    "reasons": pl.List(pl.String()),
    "raw_row": pl.String(),
}


def lake_schema(log: Log) -> dict[str, pl.DataType]:
    """The columns of a log in the lake: its contract's, and where a row came from."""
    return {column.name: column.read_as.dtype for column in COLUMNS[log]} | LINEAGE


def partition(root: AnyPath, log: Log, log_date: str) -> AnyPath:
    return root / log / f"log_date={log_date}"


class LogFile(Protocol):
    """What decides where the rows of a log file lie."""

    log: Log
    log_date: date
    source_file: str


def path_of(root: AnyPath, file: LogFile) -> AnyPath:
    """Where the rows of a log file lie: named after it, and told apart from every other by a hash."""
    return partition(root, file.log, file.log_date.isoformat()) / f"{file_name(file.source_file)}.parquet"


def file_name(source_file: str) -> str:
    """A log file's name as part of another's: plain letters, and a hash that tells it apart from every other."""
    readable = re.sub(r"[^A-Za-z0-9-]+", "-", source_file).strip("-")[:80]
    digest = hashlib.sha256(source_file.encode()).hexdigest()[:12]
    return f"{readable}-{digest}"


@cache
def _arrow_schema(columns: tuple[tuple[str, pl.DataType], ...]) -> pa.Schema:
    return pa.schema([(name, pl.Series([], dtype=dtype).to_arrow().type) for name, dtype in columns])


@dataclass(frozen=True)
class StagedParquet:
    """The rows of one log file, all of them, where they were written aside; with no rows there is no file, and no content."""

    path: AnyPath
    temp_path: Path
    rows: int = 0
    checksum: Checksum | None = None

    def commit(self) -> dict[AnyPath, Checksum]:
        """Puts what was written in place of what was there; with no rows, takes away what was there.

        Gives what the file now holds, by its path.
        """
        if self.checksum is None:
            remove(self.path)
            return {}
        atomic_replace(self.temp_path, self.path)
        return {self.path: self.checksum}

    def discard(self) -> None:
        """Forgets what was written; what was there before stays."""
        self.temp_path.unlink(missing_ok=True)


class RowWriter:
    """Writes the rows of one log file aside, to be put in place as a whole, or not at all."""

    def __init__(self, path: AnyPath, temp_path: Path, schema: dict[str, pl.DataType], order_by: str | None) -> None:
        self._path = path
        self._aside = temp_path
        self._schema = _arrow_schema(tuple(schema.items()))
        self._columns = list(schema)
        self._order_by = order_by
        self._writer: pq.ParquetWriter | None = None
        self._written: StagedParquet | None = None
        self.rows = 0
        self.header: Sequence[str] = ()
        """The columns of the log file that the rows came from, in its order, where rows as they came need it."""

    def write(self, rows: pl.DataFrame) -> None:
        if rows.is_empty():
            return
        rows = rows[self._columns]
        if self._writer is None:
            self._aside.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(
                self._aside,
                self._schema,
                compression="zstd",
                store_decimal_as_integer=True,
                use_dictionary=_repetitive_columns(rows),
            )
        if self._order_by:
            rows = rows.sort(self._order_by)
        table = rows.to_arrow().cast(self._schema)
        self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        self.rows += rows.height

    def finish(self) -> StagedParquet:
        """No more rows come: the file written aside is held open no longer."""
        if self._writer is None:
            return StagedParquet(self._path, self._aside)
        if self._written is None:
            self._close()
            self._written = StagedParquet(self._path, self._aside, self.rows, Checksum.of(self._aside))
        return self._written

    def discard(self) -> None:
        """Forgets what was written; what was there before stays."""
        self._close()
        self._aside.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._writer is not None and self._writer.is_open:
            if self.header:
                self._writer.add_key_value_metadata({_HEADER: json.dumps(list(self.header))})
            self._writer.close()


def _repetitive_columns(rows: pl.DataFrame) -> list[str]:
    """The columns worth a dictionary in Parquet: of ids and moments it only costs time and space."""
    first = rows.head(DICTIONARY_SAMPLE_ROWS)
    return [
        name for name in first.columns if first[name].dtype == pl.String and first[name].n_unique() * 2 < len(first)
    ]


def accepted_writer(paths: DataPaths, file: LandingFile, by: str) -> RowWriter:
    accepted = path_of(paths.lake, file)
    return RowWriter(accepted, paths.temp_path(accepted, by), lake_schema(file.log), EVENT_TIME[file.log])


def rejected_writer(paths: DataPaths, file: LandingFile, by: str) -> RowWriter:
    rejected = path_of(paths.quarantine, file)
    return RowWriter(rejected, paths.temp_path(rejected, by), QUARANTINE_SCHEMA, None)


def discard_temp_files(paths: DataPaths, file: LandingFile, by: str) -> None:
    """Forgets what was written aside of a log file by a process that is gone."""
    for root in (paths.lake, paths.quarantine):
        paths.temp_path(path_of(root, file), by).unlink(missing_ok=True)


def files(root: AnyPath, log: Log) -> list[AnyPath]:
    """The files of a log in lake or quarantine, in the order of their log dates."""
    return [root / log / name for name in names_in(root / log) if DATA_FILE.fullmatch(name)]


def header_of(path: Path) -> list[str] | None:
    """The columns of the log file that rows in quarantine came from, in its order; None where they need none."""
    metadata = pq.read_metadata(path).metadata or {}
    header = metadata.get(_HEADER.encode())
    return json.loads(header) if header else None


def existing(candidates: Iterable[AnyPath]) -> set[AnyPath]:
    """Which of these files there are; of an object store, by one listing for all of a log date."""
    candidates = list(candidates)
    there = {path for path in candidates if not is_object(path) and path.exists()}
    for folder in {path.parent for path in candidates if is_object(path)}:
        there |= {folder / name for name in names_in(folder)}
    return there & set(candidates)


def empty_file(paths: DataPaths, log: Log) -> AnyPath:
    """A file of the lake that holds nothing but the columns of a log."""
    return partition(paths.lake, log, "1970-01-01") / "empty.parquet"


def ensure_lake(paths: DataPaths) -> None:
    """Makes the lake readable, whatever was loaded: an empty file a log, with the columns of its contract.

    A glob without a match is an error, and files that an older version wrote may lack a column: it is null in them then.
    """
    for log in Log:
        empty = empty_file(paths, log)
        if not _has_columns(paths, empty, list(lake_schema(log))):
            temp_path = paths.temp_path(empty)
            temp_path.parent.mkdir(parents=True, exist_ok=True)
            pl.DataFrame(schema=lake_schema(log)).write_parquet(temp_path)
            atomic_replace(temp_path, empty)


def _has_columns(paths: DataPaths, file: AnyPath, columns: list[str]) -> bool:
    try:
        with paths.local_copy(file) as local_copy:
            return pq.read_schema(local_copy).names == columns
    except FileNotFoundError:
        return False


def lake_preview(paths: DataPaths, log: Log) -> str:
    """A few rows of a log, of its latest log date, as Markdown."""
    newest = files(paths.lake, log)[-1]
    with duckdb.connect() as connection:
        enable_s3(connection, paths.lake)
        return preview_rows(connection, f"read_parquet({literal(newest)})")


def cut_raw_row(raw: str) -> str:
    """A raw row as the quarantine keeps it: at most 64 KiB of UTF-8."""
    if len(raw) * 4 <= RAW_ROW_BYTES:
        return raw
    return raw.encode()[:RAW_ROW_BYTES].decode(errors="ignore")
