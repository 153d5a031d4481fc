"""The way back for rows in quarantine: log files that a person mends and drops again.

Two shapes. **Whole** (the default): all rows of the file, good and bad, in their order, under the file's own name. Mended
and dropped in its place, it replaces what the file gave, and the file's quarantine is empty. **Rows alone**: the bad rows
as a further part of the same log date. Dropped beside the file, it adds the mended rows; what was found in the file itself
stands until a person accepts it, for its good rows count.

A file whose content still lies in the landing zone is copied byte for byte. Otherwise its rows are put together from lake
and quarantine: bad rows as they came, good ones as they were understood (values trimmed, unknown columns empty). Rows that
came from Parquet are written as JSON lines, whole ones with an empty file under the name of the original, which takes its
rows back.

Nothing of an export that is dropped unmended is admitted that was not before: bytes that were not UTF-8 are put back as
they were, and of a row that the quarantine holds only the beginning nothing is written.

Not here: how files are read (`warehouse.ingest.readers`), what is in quarantine in sum (`warehouse.quarantine.summary`).
"""

import csv
import gzip
import io
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from typing import BinaryIO

import duckdb

from models.logs import COLUMNS
from models.rejections import ERASED_RAW_ROW, NOT_UTF8, TOO_LONG
from warehouse.foundation import (
    DataPaths,
    LandingFile,
    LoadedFile,
    Settings,
    apply_limits,
    atomic_replace,
    enable_s3,
    exists,
    literal,
)
from warehouse.lake import tables as lake_tables

ROWS_AT_A_TIME = 10_000
_NOT_UTF8 = NOT_UTF8.partition(": ")[2]


class NotExportable(Exception):
    """Of this file no export can be made; the message says why, and what else to do."""


@dataclass(frozen=True)
class RepairFile:
    """An export: the files that were written, and what a person has to know.

    `rows` are all that it holds, `rejected` those of them to be mended; `left_out` are rows of which the quarantine holds
    only the beginning, or nothing since they were erased.
    """

    files: tuple[Path, ...]
    rows: int
    rejected: int
    left_out: int
    is_copy: bool = False


def export(
    settings: Settings, paths: DataPaths, file: LoadedFile, folder: Path, *, rows_only: bool = False
) -> RepairFile:
    """Writes a file's rows for a person to mend, to `<folder>/<log>/…`, which is laid out as a landing zone.

    Raises:
        NotExportable: nothing of the file is in quarantine, or an export would lose or invent rows.
        FileExistsError: there is such an export already; it may have been mended.
    """
    if file.refusal:
        raise NotExportable(
            "it was refused whole: no row of it is in quarantine. Mend the file itself and drop it again"
        )
    if not file.rejected:
        raise NotExportable("no row of it is in quarantine")
    original = LandingFile(file.log, file.log_date, file.source_file, settings.landing / file.log / file.source_file)
    kind = _kind(file.source_file)
    if not rows_only and kind != "parquet" and _still_lies(original, file):
        path = folder / file.log / file.source_file
        with _aside(path) as temp_path, paths.local_copy(original.path) as lying, lying.open("rb") as source:
            shutil.copyfileobj(source, temp_path)
        return RepairFile((path,), file.records, file.rejected, 0, is_copy=True)
    header = _header(paths, file) if kind == "csv" else None
    if kind == "csv" and header is None:
        raise NotExportable(
            "its header line is not known any more. Drop the original again, as it was, and refresh first"
        )
    with duckdb.connect() as connection:
        apply_limits(connection, settings)
        cut = _count_cut(connection, paths, file)
        if rows_only:
            extension = "csv" if kind == "csv" else "jsonl"
            name = f"{file.log_date}.mended-{lake_tables.file_name(file.source_file)}.{extension}"
            rows = _bad_rows(connection, paths, file, kind)
        else:
            if cut:
                raise NotExportable(
                    f"of {cut} rows the quarantine holds only the beginning, or nothing where they were erased: only the"
                    " original file has them whole. Mend that, or export the other rows with --rows-only"
                )
            name = file.source_file
            if kind == "parquet":
                name = f"{file.log_date}.mended-{lake_tables.file_name(file.source_file)}.jsonl"
            good = _good_rows(connection, paths, file, header)
            rows = merge(good, _bad_rows(connection, paths, file, kind), key=lambda row: row[0])
        rejected = file.rejected - cut
        count = rejected if rows_only else file.records
        places = [folder / file.log / name]
        _write(places[0], header, (line for _, line in rows), count)
        if kind == "parquet" and not rows_only:
            places.append(folder / file.log / file.source_file)
            _write(places[1], None, (), 0)
    return RepairFile(tuple(places), count, rejected, cut)


def _kind(name: str) -> str:
    return name.removesuffix(".gz").rpartition(".")[2]


def _still_lies(original: LandingFile, file: LoadedFile) -> bool:
    try:
        return original.sha256() == file.sha256
    except OSError:
        return False


def _header(paths: DataPaths, file: LoadedFile) -> list[str] | None:
    return lake_tables.header_of(lake_tables.path_of(paths.quarantine, file))


def _quarantined(paths: DataPaths, file: LoadedFile) -> str:
    path = lake_tables.path_of(paths.quarantine, file)
    return f"read_parquet({literal(path)}, hive_partitioning = false)"


_IS_CUT = (
    f"(strlen(raw_row) > {lake_tables.RAW_ROW_BYTES - 4} or list_contains(reasons, {literal(TOO_LONG)})"
    f" or raw_row = {literal(ERASED_RAW_ROW)})"
)
"""Of a row that was erased nothing is left. Cutting takes a row to the limit, less a letter that would have been cut in two:
at most three bytes.
"""


def _count_cut(connection: duckdb.DuckDBPyConnection, paths: DataPaths, file: LoadedFile) -> int:
    (cut,) = connection.execute(f"select count(*) from {_quarantined(paths, file)} where {_IS_CUT}").fetchone()
    return cut


def _bad_rows(
    connection: duckdb.DuckDBPyConnection, paths: DataPaths, file: LoadedFile, kind: str
) -> Iterator[tuple[int, bytes]]:
    """Rows in quarantine by their number, as the bytes that came."""
    cursor = connection.cursor().execute(
        f"select row_number, raw_row, reasons from {_quarantined(paths, file)} where not {_IS_CUT} order by row_number"
    )
    # In JSON, made of a value that was not UTF-8, the backslash itself is escaped.
    escaped = re.compile(rb"\\\\x([89a-f][0-9a-f])" if kind == "parquet" else rb"\\x([89a-f][0-9a-f])")
    for number, raw, reasons in _fetched(cursor):
        data = raw.encode()
        if any(reason.endswith(_NOT_UTF8) for reason in reasons):
            data = escaped.sub(lambda found: bytes.fromhex(found[1].decode()), data)
        yield number, data


def _good_rows(
    connection: duckdb.DuckDBPyConnection, paths: DataPaths, file: LoadedFile, header: list[str] | None
) -> Iterator[tuple[int, bytes]]:
    """Rows in the lake by their number in the file, written as lines of it; of a file without a header, as JSON."""
    path = lake_tables.path_of(paths.lake, file)
    if not exists(path):
        return
    enable_s3(connection, path)
    names = [column.name for column in COLUMNS[file.log]]
    values = ", ".join(f'cast("{name}" as varchar)' for name in names)
    cursor = connection.cursor().execute(
        f"select row_number, {values} from read_parquet({literal(path)}, hive_partitioning = false) order by row_number"
    )
    for number, *row in _fetched(cursor):
        values_of = dict(zip(names, row, strict=True))
        if header is None:
            line = json.dumps(
                {name: value for name, value in values_of.items() if value is not None}, ensure_ascii=False
            )
        else:
            line = _csv_line([values_of.get(name) or "" for name in header])
        yield number, line.encode()


def _fetched(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple]:
    while rows := cursor.fetchmany(ROWS_AT_A_TIME):
        yield from rows


def _csv_line(fields: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()


def _write(path: Path, header: list[str] | None, lines: Iterable[bytes], expected: int) -> None:
    """Writes a log file of so many records, compressed as its name says."""
    count = 0
    with _aside(path) as temp_path, _compressed(path, temp_path) as file:
        if header:
            file.write(_csv_line(header).encode() + b"\n")
        for line in lines:
            file.write(line + b"\n")
            count += 1
        if count != expected:
            raise NotExportable(f"{count} rows were found of {expected}: lake and quarantine are changing. Try again")


@contextmanager
def _compressed(path: Path, temp_path: BinaryIO) -> Iterator[BinaryIO]:
    if not path.name.endswith(".gz"):
        yield temp_path
        return
    with gzip.GzipFile(filename="", fileobj=temp_path, mode="wb") as file:
        yield file


@contextmanager
def _aside(path: Path) -> Iterator[BinaryIO]:
    """A file to write that is put in place when it is whole; one that is there already is never replaced."""
    if path.exists():
        raise FileExistsError(f"{path} is there already; move it away, or export to another folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    temp_path = path.with_name(f".{path.name[:200]}.tmp")
    try:
        with temp_path.open("wb") as file:
            yield file
        atomic_replace(temp_path, path)
    finally:
        temp_path.unlink(missing_ok=True)
