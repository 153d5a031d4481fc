"""JSON objects as rows of text: the decoder, and the batch that collects them.

A number keeps its literal (`1.50` stays `1.50`), so that the same rules apply as to text in a CSV file. A boolean, array or
object in a known column, or a repeated key, rejects the row; unknown keys are ignored.

Not here: where an object begins and ends in a file (`json_files`), the rules for values (`models.logs`).
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from json.encoder import encode_basestring
from typing import Any

import polars as pl

from models.rejections import UnreadableValue
from warehouse.ingest.readers.records import (
    MAX_COLUMNS,
    MAX_UNKNOWN_COLUMNS,
    BrokenRecord,
    Layout,
    Records,
    RefusedFile,
)


class JsonObject(list[tuple[str, Any]]):
    """The pairs of a JSON object in order; a dictionary would hide a repeated key."""


class _Number(str):
    """The literal of a number where it has to be told from text."""

    __slots__ = ()


class _Fraction(_Number):
    """The literal of a number with a point or exponent. Within nested JSON it becomes text: DuckDB would round it to a double."""

    __slots__ = ()


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def decoder_for(layout: Layout) -> json.JSONDecoder:
    whole, fraction = (_Number, _Fraction) if layout.nested_as_json else (str, str)
    return json.JSONDecoder(
        object_pairs_hook=JsonObject, parse_int=whole, parse_float=fraction, parse_constant=_no_constant
    )


class JsonBatch:
    """Objects and broken records of a file, in order, which become one batch. `first` is the number of the first one."""

    def __init__(self, layout: Layout, first: int) -> None:
        self._layout = layout
        self._known = frozenset(layout.columns)
        self._next = first
        self._numbers: list[int] = []
        self._rows: list[dict[str, str | None]] = []
        self._broken: list[BrokenRecord] = []
        self._faults: list[UnreadableValue] = []
        self._unknown: set[str] = set()
        self._present: set[str] = set()

    @property
    def count(self) -> int:
        return len(self._rows) + len(self._broken)

    def add(self, pairs: JsonObject) -> None:
        self._numbers.append(self._next)
        self._next += 1
        self._rows.append(self._raw_row(pairs) if self._layout.nested_as_json else self._row(pairs))

    def add_broken(self, reason: str, raw: str) -> None:
        self._broken.append(BrokenRecord.of(self._next, reason, raw))
        self._next += 1

    def records(self, raw: Callable[[Sequence[int]], list[str]], size: int) -> Records:
        """The batch; `raw` gives the text of objects by their indices."""
        rows, names = self._rows, self._layout.columns_with(sorted(self._present))
        return Records(
            text=pl.DataFrame({name: pl.Series([row.get(name) for row in rows], dtype=pl.String) for name in names}),
            row_numbers=pl.Series(self._numbers, dtype=pl.Int64),
            raw=raw,
            count=self.count,
            size=size,
            broken=self._broken,
            faults=self._faults,
            unknown_columns=frozenset(sorted(self._unknown)[:MAX_UNKNOWN_COLUMNS]),
            present=frozenset(self._present),
        )

    def _row(self, pairs: JsonObject) -> dict[str, str | None]:
        """The values of an object by column; unreadable ones are null, and added to the faults."""
        known = self._known
        row = self._by_key(pairs)
        for column, value in row.items():
            if value is None or column not in known:
                continue
            if value.__class__ is not str:
                self._add_fault(column, f"must be text or a number, not {_kind(value)}")
                row[column] = None
            elif "\0" in value:
                self._add_fault(column, "holds a NUL")
                row[column] = None
        return row if row.keys() <= known else self._known_only(row)

    def _raw_row(self, pairs: JsonObject) -> dict[str, str | None]:
        """The same, but a value that is neither text nor a number is its JSON text."""
        row = self._by_key(pairs)
        if not self._layout.all_columns and not row.keys() <= self._known:
            row = self._known_only(row)
        if not row.keys() <= self._present:
            self._present |= row.keys()
        if len(self._present) > MAX_COLUMNS:
            raise RefusedFile(f"more than {MAX_COLUMNS:,} different keys in {len(self._rows) + 1:,} records")
        for column, value in row.items():
            if value is None:
                continue
            if value.__class__ is not str:
                row[column] = value = str(value) if isinstance(value, _Number) else _json_text(value)
            if "\0" in value:
                self._add_fault(column, "holds a NUL")
                row[column] = None
        return row

    def _by_key(self, pairs: JsonObject) -> dict[str, Any]:
        row = dict(pairs)
        if len(row) != len(pairs):
            times = Counter(key for key, _ in pairs)
            for key in sorted(key for key, count in times.items() if count > 1):
                self._add_fault(key, "occurs twice in the JSON object")
        return row

    def _known_only(self, row: dict[str, Any]) -> dict[str, Any]:
        if len(self._unknown) < MAX_UNKNOWN_COLUMNS:
            self._unknown |= row.keys() - self._known
        return {name: value for name, value in row.items() if name in self._known}

    def _add_fault(self, column: str, rule: str) -> None:
        self._faults.append(UnreadableValue(len(self._rows), column, rule))


def is_encodable(value: Any) -> bool:
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
    return "an object" if isinstance(value, JsonObject) else "an array"


def _json_text(value: Any) -> str:
    """A decoded value as JSON text: whole numbers as they came, other numbers as text, so that no digit is lost."""
    kind = value.__class__  # compared exactly, because a subclass of a string is a number here
    if kind is str:
        return encode_basestring(value)
    if kind is _Number:
        return str(value)
    if kind is _Fraction:
        return f'"{value}"'
    if kind is JsonObject:
        texts = [
            # Most are text: a call for each would take longer than to write it.
            f"{encode_basestring(key)}:{encode_basestring(item) if item.__class__ is str else _json_text(item)}"
            for key, item in value
        ]
        return "{" + ",".join(texts) + "}"
    if kind is list:
        return "[" + ",".join([_json_text(item) for item in value]) + "]"
    return json.dumps(value)
