"""Writes the sample's rows as files of the landing zone: one per log and day, in any of the five formats.

A few bad rows are among them. A bad row is a copy of a good row with one fault; the good row is in the file as well, so that
bad rows change no figure.

Not here: the rows themselves (`rows`).
"""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

FORMATS = ("csv", "csv.gz", "jsonl", "jsonl.gz", "parquet")

#: The formats of `mixed`: small logs are in formats that a person can read.
MIXED = {
    "campaigns": "jsonl",
    "sends": "csv.gz",
    "receipts": "parquet",
    "clicks": "csv",
    "orders": "jsonl",
    "unsubscribes": "csv",
    "exchange_rates": "csv",
}

#: Bad rows per log and day, and rows per bad row: far below the share that blocks a publication.
MAX_BAD_ROWS = 4
ROWS_PER_BAD_ROW = 300

_SLICE = 200_000  # rows converted to text at a time, which bounds the memory for a large day

# The timestamp format of each log. They differ, as they do between systems.
_TIMESTAMP_FORMATS = {
    "sends": "%Y-%m-%dT%H:%M:%S%.3fZ",
    "receipts": "%Y-%m-%dT%H:%M:%S%.3f+00:00",
    "clicks": "%Y-%m-%d %H:%M:%S",
    "orders": "%Y-%m-%dT%H:%M:%S%:z",
}
_SHOP_TIMEZONE = "America/New_York"  # the shop writes local time with its offset

_DECIMAL_PLACES = {"sends": 6, "orders": 2, "exchange_rates": 6}

_BROKEN = "a broken line"

# The faults of bad rows: a column and its wrong value, or a broken line. None is a missing required value. The first fault
# of each log is in a column that is never null.
_FAULTS: dict[str, list[tuple[str, str | float | None]]] = {
    "campaigns": [("modified_by", None), ("campaign_type", "EMAIL")],
    "sends": [
        ("sent_at", "2026-02-30T10:15:00.000Z"),
        ("mobile_number", "07700 900123"),
        ("contact_id", None),
        ("segments", 300),
        (_BROKEN, None),
    ],
    "receipts": [("occurred_at", "31/12/2025 23:59"), ("provider_status", None), ("message_id", None), (_BROKEN, None)],
    "clicks": [("clicked_at", "2026-01-15 24:00:00"), ("campaign_id", None), (_BROKEN, None)],
    "orders": [("total", -19.9), ("currency", "EURO"), ("status", "shipped"), ("updated_at", "yesterday")],
    "unsubscribes": [("unsubscribed_at", "n/a"), ("mobile_number", "+0049 151"), ("contact_id", None)],
    "exchange_rates": [("rate", 0.0)],
}
_BAD_TIMESTAMP = datetime(1970, 1, 1, tzinfo=UTC)  # the fault of Parquet files, which cannot hold a text as timestamp


@dataclass(frozen=True)
class BadRow:
    """A frame of one good row, and the column and value of the fault."""

    good: pl.DataFrame
    column: str
    value: str | float | None


def slices_with_bad_rows(
    log: str, events: pl.DataFrame, make_rows: Callable[[pl.DataFrame], pl.DataFrame], rng: np.random.Generator
) -> Iterator[pl.DataFrame | BadRow]:
    """The rows of N events in order, as frames of at most `_SLICE` rows, with bad rows between them."""
    limit = min(MAX_BAD_ROWS, events.height // ROWS_PER_BAD_ROW)
    positions = (
        rng.integers(1, events.height, rng.integers((limit + 1) // 2, limit + 1)) if limit else np.array([], dtype=int)
    )
    begin = 0
    for end in sorted({*positions.tolist(), *range(_SLICE, events.height, _SLICE), events.height}):
        yield make_rows(events[begin:end])
        begin = end
        for _ in range(np.count_nonzero(positions == end)):
            good = make_rows(events[end - 1 : end])
            column, value = _FAULTS[log][rng.integers(0, len(_FAULTS[log]))]
            # A fault in a column that is null in this row, such as the segments of a skipped contact, might be no fault.
            if column != _BROKEN and good[column].null_count():
                column, value = _FAULTS[log][0]
            yield BadRow(good, column, value)


def write_file(path: Path, log: str, file_format: str, rows: Iterable[pl.DataFrame | BadRow]) -> tuple[int, int]:
    """Writes a file under a temporary name and renames it. Returns the number of its rows, and of the bad ones among them.

    Raises:
        OSError: from the file system; no file is left under either name.
    """
    temp_path = path.with_name(path.name + ".tmp")
    try:
        with temp_path.open("wb") as file:
            counts = (_write_parquet if file_format == "parquet" else _write_text)(file, log, file_format, rows)
        temp_path.replace(path)
    except BaseException:
        temp_path.unlink(missing_ok=True)
        raise
    return counts


def _write_text(file: IO[bytes], log: str, file_format: str, rows: Iterable[pl.DataFrame | BadRow]) -> tuple[int, int]:
    written = bad = 0
    is_csv = file_format.startswith("csv")
    with _compressed(file, file_format) as out:
        for piece in rows:
            if isinstance(piece, BadRow):
                good = _timestamps_as_text(log, piece.good)
                out.write((_bad_csv if is_csv else _bad_json)(good, piece, _DECIMAL_PLACES.get(log), bad))
                written, bad = written + 1, bad + 1
                continue
            text, lines = _timestamps_as_text(log, piece), io.BytesIO()
            if is_csv:
                text.write_csv(lines, include_header=not written, float_precision=_DECIMAL_PLACES.get(log))
            else:
                text.write_ndjson(lines)
            out.write(lines.getbuffer())
            written += piece.height
    return written, bad


def _write_parquet(
    file: IO[bytes], log: str, file_format: str, rows: Iterable[pl.DataFrame | BadRow]
) -> tuple[int, int]:
    written = bad = 0
    held: list[pl.DataFrame] = []  # collected into one row group
    writer = None
    for piece in rows:
        if isinstance(piece, BadRow):
            frame = _bad_typed(piece, _FAULTS[log])
            bad += 1
        else:
            frame = piece
        held.append(frame)
        written += frame.height
        writer = writer or pq.ParquetWriter(file, _arrow(frame).schema, compression="zstd", compression_level=1)
        if sum(part.height for part in held) >= _SLICE:
            writer.write_table(_arrow(pl.concat(held)))
            held.clear()
    if writer:
        if held:
            writer.write_table(_arrow(pl.concat(held)))
        writer.close()
    return written, bad


def _arrow(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


@contextmanager
def _compressed(file: IO[bytes], file_format: str) -> Iterator[IO[bytes] | gzip.GzipFile]:
    if not file_format.endswith(".gz"):
        yield file
        return
    # Without name and time in the header, the same rows give the same bytes.
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=1, mtime=0) as compressed:
        yield compressed


def _timestamps_as_text(log: str, rows: pl.DataFrame) -> pl.DataFrame:
    names = [name for name, kind in rows.schema.items() if isinstance(kind, pl.Datetime)]
    columns = [pl.col(name) for name in names]
    if log == "orders":
        columns = [column.dt.convert_time_zone(_SHOP_TIMEZONE) for column in columns]
    text_format = _TIMESTAMP_FORMATS.get(log, "%Y-%m-%dT%H:%M:%SZ")
    return rows.with_columns(column.dt.strftime(text_format) for column in columns)


def _bad_csv(good: pl.DataFrame, bad: BadRow, decimal_places: int | None, number: int) -> bytes:
    """A bad row as a line of CSV; `number` counts the bad rows of the file."""
    line = good.write_csv(include_header=False, float_precision=decimal_places)
    fields = next(csv.reader(io.StringIO(line, newline="")))
    if bad.column == _BROKEN:
        if number % 2:
            fields[1] = '"' + fields[1]  # a quote without an end
            return (",".join(fields) + "\n").encode()
        return (",".join(fields[:3]) + "\n").encode()  # cut off
    fields[good.columns.index(bad.column)] = "" if bad.value is None else str(bad.value)
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue().encode()


def _bad_json(good: pl.DataFrame, bad: BadRow, decimal_places: int | None, number: int) -> bytes:
    """A bad row as a line of JSON."""
    line = good.write_ndjson()
    if bad.column == _BROKEN:
        return line[: len(line) // 2].rstrip().encode() + b"\n"
    return (json.dumps(json.loads(line) | {bad.column: bad.value}, ensure_ascii=False) + "\n").encode()


def _bad_typed(bad: BadRow, faults: list[tuple[str, str | float | None]]) -> pl.DataFrame:
    """A bad row as a frame of one row with the types of the good rows."""
    column, value = bad.column, bad.value
    if column == _BROKEN:  # Parquet has no lines
        column, value = faults[0]
    kind = bad.good.schema[column]
    if isinstance(kind, pl.Datetime) and value is not None:
        return bad.good.with_columns(pl.lit(_BAD_TIMESTAMP, dtype=kind).alias(column))
    return bad.good.with_columns(pl.lit(value, dtype=kind).alias(column))
