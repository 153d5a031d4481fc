"""JSONL files: UTF-8, one JSON object a line, keys as the columns.

Numbers are kept by their literal (`1.50` stays `1.50`), so the same rules hold for them as for text in a CSV file. A
boolean, an array or an object in a known column, and a key that stands twice, are faults of the row; unknown keys are
ignored.

Not here: what the values must be (`models.logs`).
"""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from warehouse.readers.lines import Lines, OverlongLine
from warehouse.readers.records import (
    HAS_NUL,
    MAX_RECORD_BYTES,
    NOT_UTF8,
    TOO_LONG,
    BrokenRecord,
    Fault,
    Layout,
    ReconciliationError,
    Records,
    as_text,
    beginning_as_text,
)

WHITE_SPACE = b" \t\n\x0b\x0c\r"
NOT_AN_OBJECT = "line: is not a JSON object"


class _Object(list):
    """The pairs of a JSON object, in order: a dictionary would hide a key that stands twice."""


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_Object, parse_int=str, parse_float=str, parse_constant=_no_constant)


def read(path: Path, layout: Layout) -> Iterator[Records]:
    """The records of a JSONL file.

    Raises:
        RefusedFile: a damaged gzip.
        ReconciliationError: lines went in that did not come out.
    """
    lines = Lines(path)
    reader = _JsonlReader(layout)
    for item in lines:
        yield reader.overlong_line(item) if isinstance(item, OverlongLine) else reader.records_of(item.data)
    if reader.lines_read != lines.count:
        raise ReconciliationError(f"{lines.count} lines in the file, {reader.lines_read} accounted for")


class _JsonlReader:
    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._known = frozenset(layout.columns)
        self._records_read = 0
        self.lines_read = 0

    def overlong_line(self, line: OverlongLine) -> Records:
        self.lines_read += 1
        self._records_read += 1
        return self._batch(
            [], [], [BrokenRecord(self._records_read, (TOO_LONG,), beginning_as_text(line.head))], [], set()
        )

    def records_of(self, data: bytes) -> Records:
        objects: list[tuple[int, bytes, _Object]] = []
        broken: list[BrokenRecord] = []
        lines = data.removesuffix(b"\n").split(b"\n")
        for line in lines:
            self.lines_read += 1
            if not line.strip(WHITE_SPACE):
                continue
            self._records_read += 1
            value, reason = _parsed(line)
            if value is None:
                broken.append(BrokenRecord(self._records_read, (reason,), as_text(line.removesuffix(b"\r"))))
            else:
                objects.append((self._records_read, line, value))
        rows: list[dict[str, str | None]] = []
        faults: list[Fault] = []
        unknown: set[str] = set()
        for index, (_, _, pairs) in enumerate(objects):
            row = dict(pairs)
            if len(row) != len(pairs):
                times = Counter(key for key, _ in pairs)
                for key in sorted(key for key, count in times.items() if count > 1):
                    faults.append(Fault(index, key, "stands twice in the JSON object"))
            if not row.keys() <= self._known:
                unknown |= row.keys() - self._known
            for column, value in row.items():
                if value is None or column not in self._known:
                    continue
                if value.__class__ is not str:
                    faults.append(Fault(index, column, f"must be text or a number, not {_kind(value)}"))
                    row[column] = None
                elif "\0" in value:
                    faults.append(Fault(index, column, "holds a NUL"))
                    row[column] = None
            rows.append(row)
        return self._batch(rows, objects, broken, faults, unknown)

    def _batch(
        self,
        rows: list[dict[str, str | None]],
        objects: list[tuple[int, bytes, _Object]],
        broken: list[BrokenRecord],
        faults: list[Fault],
        unknown: set[str],
    ) -> Records:
        columns = {name: pl.Series([row.get(name) for row in rows], dtype=pl.String) for name in self._layout.columns}
        return Records(
            text=pl.DataFrame(columns),
            row_numbers=pl.Series([number for number, _, _ in objects], dtype=pl.Int64),
            raw=lambda indices: [as_text(objects[index][1].removesuffix(b"\r")) for index in indices],
            count=len(rows) + len(broken),
            broken=broken,
            faults=faults,
            unknown_columns=frozenset(unknown),
        )


def _parsed(line: bytes) -> tuple[_Object | None, str]:
    """The object on a line, or why there is none."""
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
    """Whether escapes such as `\\ud800` left half a character, which no UTF-8 can hold."""
    unseen = [value]
    while unseen:
        item = unseen.pop()
        if isinstance(item, list | tuple):
            unseen += item
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
