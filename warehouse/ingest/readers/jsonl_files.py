"""JSON Lines files: UTF-8, one JSON object per line, with the columns as keys.

A number keeps its literal (`1.50` stays `1.50`), so that the same rules apply as to text in a CSV file. A boolean, array or
object in a known column, or a repeated key, rejects the row; unknown keys are ignored.

Not here: the rules for values (`models.logs`).
"""

import json
from collections import Counter
from typing import Any

import polars as pl

from models.rejections import HAS_NUL, NOT_UTF8, TOO_LONG, UnreadableValue
from warehouse.ingest.readers.lines import WHITE_SPACE, LineReader
from warehouse.ingest.readers.records import MAX_RECORD_BYTES, MAX_UNKNOWN_COLUMNS, BrokenRecord, Records, as_text

NOT_AN_OBJECT = "line: is not a JSON object"


class _Object(list[tuple[str, Any]]):
    """The pairs of a JSON object in order; a dictionary would hide a repeated key."""


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_Object, parse_int=str, parse_float=str, parse_constant=_no_constant)


class JsonlReader(LineReader):
    """Reads JSON Lines."""

    def records_of(self, data: bytes, *, is_last: bool) -> tuple[Records, bytes]:
        """The records of complete lines; no bytes are left over."""
        numbers: list[int] = []
        lines: list[bytes] = []
        rows: list[dict[str, str | None]] = []
        broken: list[BrokenRecord] = []
        faults: list[UnreadableValue] = []
        names = self.layout.columns
        known, unknown = frozenset(names), set[str]()
        for line in data.removesuffix(b"\n").split(b"\n"):
            self.lines_read += 1
            if not line.strip(WHITE_SPACE):
                continue
            self.records_read += 1
            pairs, reason = _parsed(line)
            if pairs is None:
                broken.append(
                    BrokenRecord.of(self.records_read, reason, as_text(line[:MAX_RECORD_BYTES].removesuffix(b"\r")))
                )
            else:
                numbers.append(self.records_read)
                lines.append(line)
                row = _row(pairs, len(rows), known, faults)
                if not row.keys() <= known:
                    if len(unknown) < MAX_UNKNOWN_COLUMNS:
                        unknown |= row.keys() - known
                    row = {name: value for name, value in row.items() if name in known}
                rows.append(row)
        records = Records(
            text=pl.DataFrame({name: pl.Series([row.get(name) for row in rows], dtype=pl.String) for name in names}),
            row_numbers=pl.Series(numbers, dtype=pl.Int64),
            # Only the lines are kept until their rows are validated.
            raw=lambda indices: [as_text(lines[index].removesuffix(b"\r")) for index in indices],
            count=len(rows) + len(broken),
            broken=broken,
            faults=faults,
            unknown_columns=frozenset(sorted(unknown)[:MAX_UNKNOWN_COLUMNS]),
        )
        return records, b""


def _row(pairs: _Object, index: int, known: frozenset[str], faults: list[UnreadableValue]) -> dict[str, str | None]:
    """The values of an object by key; unreadable ones are null, and added to the faults."""
    row = dict(pairs)
    if len(row) != len(pairs):
        times = Counter(key for key, _ in pairs)
        for key in sorted(key for key, count in times.items() if count > 1):
            faults.append(UnreadableValue(index, key, "occurs twice in the JSON object"))
    for column, value in row.items():
        if value is None or column not in known:
            continue
        if value.__class__ is not str:
            faults.append(UnreadableValue(index, column, f"must be text or a number, not {_kind(value)}"))
            row[column] = None
        elif "\0" in value:
            faults.append(UnreadableValue(index, column, "holds a NUL"))
            row[column] = None
    return row


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
