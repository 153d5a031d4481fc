"""JSON Lines files: UTF-8, one JSON object per line, with the columns as keys.

A number keeps its literal (`1.50` stays `1.50`), so that the same rules apply as to text in a CSV file. A boolean, array or
object in a known column, or a repeated key, rejects the row; unknown keys are ignored.

Not here: the rules for values (`models.logs`).
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from models.rejections import HAS_NUL, NOT_UTF8, TOO_LONG, UnreadableValue
from warehouse.ingest.readers.lines import Lines, OverlongLine
from warehouse.ingest.readers.records import (
    MAX_RECORD_BYTES,
    BrokenRecord,
    Layout,
    ReconciliationError,
    Records,
    as_text,
    beginning_as_text,
)

WHITE_SPACE = b" \t\n\x0b\x0c\r"
NOT_AN_OBJECT = "line: is not a JSON object"


class _Object(list[tuple[str, Any]]):
    """The pairs of a JSON object in order; a dictionary would hide a repeated key."""


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_Object, parse_int=str, parse_float=str, parse_constant=_no_constant)


def read(path: Path, layout: Layout) -> Iterator[Records]:
    """The records of a JSON Lines file.

    Raises:
        RefusedFile: the gzip file is damaged.
        ReconciliationError: not every line was accounted for.
    """
    lines = Lines(path)
    reader = _JsonlReader(layout)
    for item in lines:
        yield reader.overlong_line(item) if isinstance(item, OverlongLine) else reader.records_of(item.data)
    if reader.lines_read != lines.count:
        raise ReconciliationError(f"{lines.count} lines in the file, {reader.lines_read} accounted for")


class _JsonlReader:
    """Turns lines into batches of records, and counts both."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._known = frozenset(layout.columns)
        self._records_read = 0
        self.lines_read = 0

    def overlong_line(self, line: OverlongLine) -> Records:
        self.lines_read += 1
        self._records_read += 1
        return self._records(
            _Batch(broken=[BrokenRecord(self._records_read, (TOO_LONG,), beginning_as_text(line.head))])
        )

    def records_of(self, data: bytes) -> Records:
        batch = _Batch()
        for line in data.removesuffix(b"\n").split(b"\n"):
            self.lines_read += 1
            if not line.strip(WHITE_SPACE):
                continue
            self._records_read += 1
            pairs, reason = _parsed(line)
            if pairs is None:
                batch.broken.append(BrokenRecord(self._records_read, (reason,), as_text(line.removesuffix(b"\r"))))
            else:
                batch.numbers.append(self._records_read)
                batch.lines.append(line)
                batch.rows.append(self._row(pairs, batch))
        return self._records(batch)

    def _row(self, pairs: _Object, batch: "_Batch") -> dict[str, str | None]:
        """The values of an object by key; unreadable ones are null, and added to the faults of the batch."""
        index, row = len(batch.rows), dict(pairs)
        if len(row) != len(pairs):
            times = Counter(key for key, _ in pairs)
            for key in sorted(key for key, count in times.items() if count > 1):
                batch.faults.append(UnreadableValue(index, key, "occurs twice in the JSON object"))
        if not row.keys() <= self._known:
            batch.unknown |= row.keys() - self._known
        for column, value in row.items():
            if value is None or column not in self._known:
                continue
            if value.__class__ is not str:
                batch.faults.append(UnreadableValue(index, column, f"must be text or a number, not {_kind(value)}"))
                row[column] = None
            elif "\0" in value:
                batch.faults.append(UnreadableValue(index, column, "holds a NUL"))
                row[column] = None
        return row

    def _records(self, batch: "_Batch") -> Records:
        names, rows, lines = self._layout.columns, batch.rows, batch.lines
        return Records(
            text=pl.DataFrame({name: pl.Series([row.get(name) for row in rows], dtype=pl.String) for name in names}),
            row_numbers=pl.Series(batch.numbers, dtype=pl.Int64),
            # Only the lines are kept until their rows are validated.
            raw=lambda indices: [as_text(lines[index].removesuffix(b"\r")) for index in indices],
            count=len(rows) + len(batch.broken),
            broken=batch.broken,
            faults=batch.faults,
            unknown_columns=frozenset(batch.unknown),
        )


@dataclass
class _Batch:
    """The objects of a block with their numbers, lines and values; broken lines, unreadable values, unknown keys."""

    numbers: list[int] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    rows: list[dict[str, str | None]] = field(default_factory=list)
    broken: list[BrokenRecord] = field(default_factory=list)
    faults: list[UnreadableValue] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)


def _parsed(line: bytes) -> tuple[_Object | None, str]:
    """The object on a line, or None and the reason."""
    if len(line.removesuffix(b"\r")) > MAX_RECORD_BYTES:
        return None, TOO_LONG
    if b"\0" in line:
        return None, HAS_NUL
    try:
        text = line.decode("utf-8").strip(" \t\r")
    except UnicodeDecodeError:
        return None, NOT_UTF8
    try:
        value, end = _decoder.raw_decode(text)
    except (ValueError, RecursionError):
        return None, NOT_AN_OBJECT
    if not isinstance(value, _Object) or end != len(text):
        return None, NOT_AN_OBJECT
    if "\\u" in text and not _is_encodable(value):
        return None, NOT_UTF8
    return value, ""


def _is_encodable(value: Any) -> bool:
    """Whether all strings can be written as UTF-8; an escape such as `\\ud800` leaves half a character, which cannot."""
    remaining = [value]
    while remaining:
        item = remaining.pop()
        if isinstance(item, list | tuple):
            remaining += item
        elif isinstance(item, str):
            try:
                item.encode("utf-8")
            except UnicodeEncodeError:
                return False
    return True


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    return "an object" if isinstance(value, _Object) else "an array"
