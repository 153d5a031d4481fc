"""How the sample's rows become files of the landing zone: one per log and day, in any of the five formats.

Here too is what is wrong with the few bad rows. A bad row is a spoilt copy of a good one that is in the file as well,
so it takes nothing away from the figures.
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
import pyarrow.parquet as pq

FORMATS = ("csv", "csv.gz", "jsonl", "jsonl.gz", "parquet")

#: What `mixed` stands for: small logs in formats that a person can read as they are.
MIXED = {
    "campaigns": "jsonl",
    "sends": "csv.gz",
    "receipts": "parquet",
    "clicks": "csv",
    "orders": "jsonl",
    "unsubscribes": "csv",
    "exchange_rates": "csv",
}

#: At most this many bad rows per log and day, and at most one in so many rows: far below what holds back publication.
MOST_BAD_ROWS = 4
ROWS_PER_BAD_ROW = 300

_SLICE = 200_000  # rows turned into text at a time: this bounds memory, whatever the size of a day

# How each log writes moments, down to the precision it has: as different as the systems that write them.
_MOMENT_FORMAT = {
    "sends": "%Y-%m-%dT%H:%M:%S%.3fZ",
    "receipts": "%Y-%m-%dT%H:%M:%S%.3f+00:00",
    "clicks": "%Y-%m-%d %H:%M:%S",
    "orders": "%Y-%m-%dT%H:%M:%S%:z",
}
_SHOP_TIMEZONE = "America/New_York"  # the shop writes its own clock, with the offset

_DECIMAL_PLACES = {"sends": 6, "orders": 2, "exchange_rates": 6}

_BROKEN = "a broken line"

# What is wrong with bad rows: a column and its value, or a broken line. None is a required value that is missing. The
# first of each log is of a column that is never null.
_FAULTS = {
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
_BEFORE_ALL_TIME = datetime(1970, 1, 1, tzinfo=UTC)  # the bad timestamp of typed files, which cannot hold a bad text


@dataclass(frozen=True)
class BadRow:
    """A bad row to be: a frame of one good row, and the column and value that spoil it."""

    good: pl.DataFrame
    column: str
    value: str | float | None


def pieces(
    log: str, events: pl.DataFrame, make_rows: Callable[[pl.DataFrame], pl.DataFrame], rng: np.random.Generator
) -> Iterator[pl.DataFrame | BadRow]:
    """The rows of the events in order, in slices, with bad rows among them."""
    most = min(MOST_BAD_ROWS, events.height // ROWS_PER_BAD_ROW)
    places = (
        rng.integers(1, events.height, rng.integers((most + 1) // 2, most + 1)) if most else np.array([], dtype=int)
    )
    begin = 0
    for end in sorted({*places.tolist(), *range(_SLICE, events.height, _SLICE), events.height}):
        yield make_rows(events[begin:end])
        begin = end
        for _ in range(np.count_nonzero(places == end)):
            good = make_rows(events[end - 1 : end])
            column, value = _FAULTS[log][rng.integers(0, len(_FAULTS[log]))]
            if (
                column != _BROKEN and good[column].null_count()
            ):  # of no matter to this row: a skipped one's segments, say
                column, value = _FAULTS[log][0]
            yield BadRow(good, column, value)


def write_file(path: Path, log: str, file_format: str, rows: Iterable[pl.DataFrame | BadRow]) -> tuple[int, int]:
    """Writes `path` (aside as `….tmp`, then renamed) and returns how many rows it holds and how many are bad.

    OSError as the file system raises it; then nothing is left under either name.
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
                good = _moments_as_text(log, piece.good)
                out.write((_bad_csv if is_csv else _bad_json)(good, piece, _DECIMAL_PLACES.get(log), bad))
                written, bad = written + 1, bad + 1
                continue
            text, lines = _moments_as_text(log, piece), io.BytesIO()
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
    held: list[pl.DataFrame] = []  # bad rows are single: gathered with the rows around them into one row group
    writer = None
    for piece in rows:
        if isinstance(piece, BadRow):
            spoilt = _bad_typed(piece, _FAULTS[log])
            bad += 1
        else:
            spoilt = piece
        held.append(spoilt)
        written += spoilt.height
        writer = writer or pq.ParquetWriter(file, _arrow(spoilt).schema, compression="zstd", compression_level=1)
        if sum(frame.height for frame in held) >= _SLICE:
            writer.write_table(_arrow(pl.concat(held)))
            held.clear()
    if writer:
        if held:
            writer.write_table(_arrow(pl.concat(held)))
        writer.close()
    return written, bad


def _arrow(frame: pl.DataFrame):
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


@contextmanager
def _compressed(file: IO[bytes], file_format: str) -> Iterator[IO[bytes]]:
    if not file_format.endswith(".gz"):
        yield file
        return
    # No name and no time in the header: the same rows give the same bytes.
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=1, mtime=0) as out:
        yield out


def _moments_as_text(log: str, rows: pl.DataFrame) -> pl.DataFrame:
    moments = [name for name, kind in rows.schema.items() if isinstance(kind, pl.Datetime)]
    columns = [pl.col(name) for name in moments]
    if log == "orders":
        columns = [column.dt.convert_time_zone(_SHOP_TIMEZONE) for column in columns]
    return rows.with_columns(column.dt.strftime(_MOMENT_FORMAT.get(log, "%Y-%m-%dT%H:%M:%SZ")) for column in columns)


def _bad_csv(good: pl.DataFrame, fault: BadRow, places: int | None, turn: int) -> bytes:
    line = good.write_csv(include_header=False, float_precision=places)
    fields = next(csv.reader(io.StringIO(line, newline="")))
    if fault.column == _BROKEN:
        if turn % 2:
            fields[1] = '"' + fields[1]  # a quote that nothing closes
            return (",".join(fields) + "\n").encode()
        return (",".join(fields[:3]) + "\n").encode()  # cut off
    fields[good.columns.index(fault.column)] = "" if fault.value is None else str(fault.value)
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerow(fields)
    return out.getvalue().encode()


def _bad_json(good: pl.DataFrame, fault: BadRow, places: int | None, turn: int) -> bytes:
    line = good.write_ndjson()
    if fault.column == _BROKEN:
        return line[: len(line) // 2].rstrip().encode() + b"\n"
    return (json.dumps(json.loads(line) | {fault.column: fault.value}, ensure_ascii=False) + "\n").encode()


def _bad_typed(fault: BadRow, faults: list[tuple[str, str | float | None]]) -> pl.DataFrame:
    column, value = fault.column, fault.value
    if column == _BROKEN:  # a typed file has no lines to break
        column, value = faults[0]
    kind = fault.good.schema[column]
    if isinstance(kind, pl.Datetime) and value is not None:
        value = _BEFORE_ALL_TIME
    return fault.good.with_columns(pl.lit(value, dtype=kind).alias(column))
