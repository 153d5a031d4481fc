"""Export of rejected rows for repair: log files that a person fixes and drops again.

There are two forms. A **whole** export (the default) has all rows of the file, accepted and rejected, in their order, under
the name of the file. Fixed and dropped in place of the original, it replaces its rows and empties its quarantine. A
**rows-only** export has the rejected rows, as a further file of the same log date. Dropped beside the original, it adds the
fixed rows. The problems of the original stand until a person accepts them, because its accepted rows count.

If the landing zone still has the content of the file, a whole export is a byte-for-byte copy. Otherwise it is put together
from lake and quarantine: rejected rows as they arrived, accepted rows as typed by the contract (values trimmed, unknown
columns empty). Rows from Parquet become JSON lines; beside a whole one, an empty file with the name of the original replaces
the rows of the original.

Of a file of a source, the raw records are exported: whole only while the landing zone has the file, since the lake holds its
accepted rows as they were mapped. Those of a Parquet file become a Parquet file.

An export that is dropped without a fix admits nothing that was rejected before: bytes that were not UTF-8 are restored,
values that Parquet alone can reject are marked (`unreadable_values`), and a row that the quarantine holds in part is left out.

Not here: how files are read (`warehouse.ingest.readers`), counts of rejected rows (`warehouse.quarantine.summary`).
"""

import codecs
import csv
import gzip
import hashlib
import io
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from heapq import merge
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import duckdb
import pyarrow.parquet as pq

from models.logs import COLUMNS
from models.rejections import ERASED_RAW_ROW, NOT_UTF8, TOO_LONG
from models.source_mapping import SourceMapping
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import apply_limits, enable_s3, fetch_value, literal, new_session
from warehouse.lake import tables as lake_tables
from warehouse.landing import LandingFile, file_kind
from warehouse.ledger import LoadedFile
from warehouse.quarantine.unreadable_values import raw_records_table, with_brackets
from warehouse.storage import atomic_replace, exists, hash_of

ROWS_PER_BATCH = 10_000

NumberedRows = Iterator[tuple[int, bytes]]
"""Rows as lines of a log file, each with its row number in the original file."""

_NOT_UTF8_RULE = NOT_UTF8.partition(": ")[2]

_IS_INCOMPLETE = (
    f"(strlen(raw_row) > {lake_tables.RAW_ROW_BYTES - 4} or list_contains(reasons, {literal(TOO_LONG)})"
    f" or raw_row = {literal(ERASED_RAW_ROW)})"
)
"""Rows that the quarantine does not hold in full: cut, or erased. A row is cut at the limit, or up to three bytes before it if
a character would be split.
"""


class NotExportable(Exception):
    """The file cannot be exported. The message gives the reason and the next step."""


@dataclass(frozen=True)
class RepairFile:
    """An export for repair.

    `rows` is the number of rows in it, `rejected` the number of those to be fixed. `left_out` rows are not in it, because the
    quarantine holds only the beginning of them, or they were erased. `is_copy`: it is a copy of the original.
    """

    files: tuple[Path, ...]
    rows: int
    rejected: int
    left_out: int
    is_copy: bool = False


def export_for_repair(
    settings: Settings,
    paths: DataPaths,
    file: LoadedFile,
    folder: Path,
    *,
    rows_only: bool = False,
    mapping: SourceMapping | None = None,
) -> RepairFile:
    """Writes the rows of a file to `<folder>/<log>/…`, laid out as a landing zone; the raw records of a file of a source.

    Args:
        mapping: the mapping of the file's source; None if the file has none, or the source is gone.

    Raises:
        NotExportable: no row of the file is in quarantine, or an export would lose rows.
        FileExistsError: there is an export already. It may have been fixed.
    """
    if file.refusal:
        raise NotExportable(
            "the file was refused: no row of it is in quarantine. Fix the file itself and drop it again"
        )
    if not file.rejected:
        raise NotExportable("no row of the file is in quarantine")
    if file.source:
        return _export_raw_records(settings, paths, file, folder, mapping, rows_only=rows_only)
    file_type = file_kind(file.source_file)
    if not rows_only and file_type != "parquet" and (copied := _copy_original(settings, paths, file, folder)):
        return RepairFile((copied,), file.records, file.rejected, 0, is_copy=True)
    header = lake_tables.header_of(lake_tables.path_of(paths.quarantine, file)) if file_type == "csv" else None
    if file_type == "csv" and header is None:
        raise NotExportable(
            "the header line of the file is unknown. Drop the original again, unchanged, and refresh first"
        )
    rejected_sql = f"read_parquet({literal(lake_tables.path_of(paths.quarantine, file))}, hive_partitioning = false)"
    extension = "csv" if file_type == "csv" else "jsonl"
    name = f"{file.log_date}.mended-{lake_tables.file_name(file.source_file)}"
    names = (f"{file.log}/{name}{number}.{extension}" for number in _NUMBERS)
    new_file = folder / next(name for name in names if not exists(settings.landing / name))
    same_file = folder / file.log / file.source_file
    with new_session() as connection:
        apply_limits(connection, settings)
        incomplete = int(fetch_value(connection, f"select count(*) from {rejected_sql} where {_IS_INCOMPLETE}"))
        rejected_rows = _rejected_rows(connection, rejected_sql, is_json=file_type == "parquet")
        rejected = file.rejected - incomplete
        if rows_only:
            _write(new_file, header, rejected_rows, rejected)
            return RepairFile((new_file,), rejected, rejected, incomplete)
        if incomplete:
            raise NotExportable(
                f"the quarantine does not hold {incomplete} rows in full, because they were too long or were erased. Fix the"
                " original file, or export the other rows with --rows-only"
            )
        all_rows = merge(_accepted_rows(connection, paths, file, header), rejected_rows, key=itemgetter(0))
        if file_type != "parquet":
            _write(same_file, header, all_rows, file.records)
            return RepairFile((same_file,), file.records, rejected, 0)
        _write(new_file, None, all_rows, file.records)
        _write(same_file, None, (), 0)
        return RepairFile((new_file, same_file), file.records, rejected, 0)


def _export_raw_records(
    settings: Settings,
    paths: DataPaths,
    file: LoadedFile,
    folder: Path,
    mapping: SourceMapping | None,
    *,
    rows_only: bool,
) -> RepairFile:
    """Copies a file of a source, or writes its rejected records as a further file of the source and the log date."""
    if not rows_only:
        if copied := _copy_original(settings, paths, file, folder):
            return RepairFile((copied,), file.records, file.rejected, 0, is_copy=True)
        raise NotExportable(
            "the file is not in the landing zone any more, or has other content. The lake holds its accepted rows as the"
            " mapping gives them, not as they came. Export the rejected records: --rows-only"
        )
    if mapping is None:
        raise NotExportable(
            f"the rejected records cannot be written as a file of their source: there is no source {file.source} any more"
        )
    raw_format = mapping.format
    name = _free_name_of_source(settings, file, mapping)
    quarantine_file = lake_tables.path_of(paths.quarantine, file)
    header = lake_tables.header_of(quarantine_file) if raw_format.type == "csv" else None
    rejected_sql = f"read_parquet({literal(quarantine_file)}, hive_partitioning = false)"
    encoder = codecs.getincrementalencoder(raw_format.encoding)()
    start, end = (f'{{"{raw_format.records}":[', "]}") if raw_format.records else ("", "")
    with new_session() as connection:
        apply_limits(connection, settings)
        if raw_format.type == "parquet":
            table = raw_records_table((raw, reasons) for _, raw, reasons in _raw_rows(connection, rejected_sql))
            with _new_file(folder / name) as target:
                pq.write_table(table, target)
            rows = table.num_rows
            return RepairFile((folder / name,), rows, rows, file.rejected - rows)
        incomplete = int(fetch_value(connection, f"select count(*) from {rejected_sql} where {_IS_INCOMPLETE}"))
        written = 0
        with _new_file(folder / name) as target:
            if header:
                target.write(encoder.encode(_csv_line(header, raw_format.delimiter).decode() + "\n"))
            for _, line in _rejected_rows(connection, rejected_sql, is_json=False):
                if raw_format.encoding.lower().replace("-", "") == "utf8":
                    target.write(start.encode() + line + end.encode() + b"\n")
                else:
                    target.write(encoder.encode(f"{start}{line.decode()}{end}\n"))
                written += 1
    return RepairFile((folder / name,), written, written, incomplete)


_NUMBERS = ("", *(f"-{number}" for number in range(2, 1_000)))
"""Ends of names: an export that was dropped before may hold fixed rows, which one of the same name would remove."""


def _free_name_of_source(settings: Settings, file: LoadedFile, mapping: SourceMapping) -> str:
    """A path that the pattern of the source reads with the date of the file, and that is not in the landing zone."""
    original = PurePosixPath(file.path_in_landing)
    digest = hashlib.sha256(f"{file.log}/{file.source_file}".encode()).hexdigest()[:12]
    stem = f"{original.name.partition('.')[0]}.mended-{digest}"
    extensions = {"csv": (".csv",), "json": (".jsonl", ".json"), "parquet": (".parquet",)}[mapping.format.type]
    for end in (*extensions, *original.suffixes[-1:]):
        if mapping.log_date(original.with_name(f"{stem}{end}").as_posix()) == file.log_date:
            names = (original.with_name(f"{stem}{number}{end}").as_posix() for number in _NUMBERS)
            return next(name for name in names if not exists(settings.landing / name))
    raise NotExportable(
        f"the pattern of {file.source}, {mapping.files}, has no second file of a date. Put * behind {{date}} in it, or"
        " export the whole file"
    )


def _copy_original(settings: Settings, paths: DataPaths, file: LoadedFile, folder: Path) -> Path | None:
    """Copies the file from the landing zone. None if it is not there any more, or has other content."""
    path = settings.landing / file.path_in_landing
    try:
        if LandingFile(file.log, file.log_date, file.source_file, path).sha256() != file.sha256:
            return None
    except OSError:
        return None
    copy = folder / file.path_in_landing
    if copy.exists() and hash_of(copy) == file.sha256:
        return copy  # as it was exported for another log, without a fix
    with _new_file(copy) as target, paths.local_copy(path) as local, local.open("rb") as source:
        shutil.copyfileobj(source, target)
    return copy


def _raw_rows(connection: duckdb.DuckDBPyConnection, rejected_sql: str) -> Iterator[tuple[int, str, list[str]]]:
    """The complete rejected rows: row number, raw row and reasons."""
    cursor = connection.cursor().execute(
        f"select row_number, raw_row, reasons from {rejected_sql} where not {_IS_INCOMPLETE} order by row_number"
    )
    yield from _fetch_in_batches(cursor)


def _rejected_rows(connection: duckdb.DuckDBPyConnection, rejected_sql: str, *, is_json: bool) -> NumberedRows:
    """The complete rejected rows, as the bytes that arrived. `is_json`: JSON lines that were made from Parquet."""
    # In a JSON line, which was made from a value that was not UTF-8, the backslash itself is escaped.
    escaped_byte = re.compile(rb"\\\\x([89a-f][0-9a-f])" if is_json else rb"\\x([89a-f][0-9a-f])")
    for number, raw_row, reasons in _raw_rows(connection, rejected_sql):
        line = (with_brackets(raw_row, reasons) if is_json else raw_row).encode()
        if any(reason.endswith(_NOT_UTF8_RULE) for reason in reasons):
            line = escaped_byte.sub(lambda match: bytes.fromhex(match[1].decode()), line)
        yield number, line


def _accepted_rows(
    connection: duckdb.DuckDBPyConnection, paths: DataPaths, file: LoadedFile, header: list[str] | None
) -> NumberedRows:
    """The rows in the lake, as CSV lines under the header, or as JSON lines if there is none."""
    path = lake_tables.path_of(paths.lake, file)
    if not exists(path):
        return
    enable_s3(connection, path)
    names = [column.name for column in COLUMNS[file.log]]
    values = ", ".join(f'cast("{name}" as varchar)' for name in names)
    cursor = connection.cursor().execute(
        f"select row_number, {values} from read_parquet({literal(path)}, hive_partitioning = false) order by row_number"
    )
    for number, *row in _fetch_in_batches(cursor):
        record = {name: value for name, value in zip(names, row, strict=True) if value is not None}
        if header is None:
            yield number, json.dumps(record, ensure_ascii=False).encode()
        else:
            yield number, _csv_line([record.get(name, "") for name in header])


def _fetch_in_batches(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(ROWS_PER_BATCH):
        yield from rows


def _csv_line(fields: list[str], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="", delimiter=delimiter).writerow(fields)
    return text.getvalue().encode()


def _write(path: Path, header: list[str] | None, rows: Iterable[tuple[int, bytes]], expected: int) -> None:
    """Writes a log file, compressed if its name ends with `.gz`. Refuses other than `expected` rows."""
    count = 0
    with _new_file(path) as target:
        is_gzip = path.name.endswith(".gz")
        with gzip.GzipFile(filename="", fileobj=target, mode="wb") if is_gzip else nullcontext(target) as file:
            if header:
                file.write(_csv_line(header) + b"\n")
            for _, line in rows:
                file.write(line + b"\n")
                count += 1
        if count != expected:
            raise NotExportable(
                f"lake and quarantine hold {count} rows instead of {expected}: they are changing. Try again"
            )


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which gets its name when it is complete. Never replaces an existing file."""
    if path.exists():
        raise FileExistsError(f"{path} already exists; move it away, or export to another folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    temp_path = path.with_name(f".{path.name[:200]}.tmp")
    try:
        with temp_path.open("wb") as file:
            yield file
        atomic_replace(temp_path, path)
    finally:
        temp_path.unlink(missing_ok=True)
