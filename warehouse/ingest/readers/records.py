"""The output of every reader: batches of records as text, broken records, and the refusal of a whole file.

Not here: the formats (`csv_files`, `jsonl_files`, `parquet_files`).
"""

import codecs
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import polars as pl

from models.rejections import UnreadableValue

MAX_RECORD_BYTES = 1 << 20
MAX_RECORD_LINES = 100
MAX_COLUMNS = 1_000
"""Columns of a file. Exports of real systems have some hundred at most."""
MAX_UNKNOWN_COLUMNS = 100
"""Names of unknown columns that are recorded for a batch: a JSON file may have another key in each record."""
MAX_RAW_BYTES = 128 << 10
"""Of a broken record, as much is kept in memory. The quarantine keeps half, so that no id at the cut is only half there."""


class RefusedFile(Exception):
    """A file that cannot be loaded at all; the message gives the reason, for the person who fixes the file."""


class ReconciliationError(Exception):
    """The records of the batches do not add up to those of the file: an error of the load, never of the file."""


@dataclass(frozen=True)
class Layout:
    """The columns of a log, and those that every file must have."""

    columns: tuple[str, ...]
    required: tuple[str, ...]

    def check(self, columns: Sequence[str]) -> list[str]:
        """The columns of a file that the log does not have; RefusedFile if a column occurs twice or a required one is missing."""
        if len(columns) > MAX_COLUMNS:
            raise RefusedFile(f"{len(columns):,} columns; a file may have {MAX_COLUMNS:,}")
        duplicates = sorted(name for name, count in Counter(columns).items() if count > 1)
        if duplicates:
            # Only text that looks like a name is shown: in a file without a header line it could be a phone number.
            names = [repr(name) for name in duplicates if re.fullmatch(r"[A-Za-z_][A-Za-z_ ]{0,60}", name)]
            raise RefusedFile(f"column twice: {', '.join(names) or 'one without a name'}; keep one of each")
        missing = [name for name in self.required if name not in columns]
        if missing:
            hint = "" if set(columns) & set(self.columns) else "; is there a header line?"
            raise RefusedFile(f"required column missing: {', '.join(missing)}{hint}")
        return [name for name in columns if name not in self.columns]


@dataclass(frozen=True, slots=True)
class BrokenRecord:
    """A record that could not be parsed: the reasons, and the beginning of its text."""

    row_number: int
    reasons: tuple[str, ...]
    raw: str

    @classmethod
    def of(cls, row_number: int, reason: str, raw: str) -> "BrokenRecord":
        return cls(row_number, (reason,), raw[:MAX_RAW_BYTES])


@dataclass
class Records:
    """A batch of one file.

    `text` has every column of the layout as strings, in the layout's order, null where the file has no value.
    `row_numbers` are the positions of the records in the file, from 1, one per row of `text`. `raw(indices)` returns rows
    as they are in the file. `count` is the number of records of the batch, broken ones included, counted without the parser.
    `size` is the approximate number of bytes that the batch holds in memory. `header` is the file's columns in its order, if raw
    rows do not name their columns.
    """

    text: pl.DataFrame
    row_numbers: pl.Series
    raw: Callable[[Sequence[int]], list[str]]
    count: int
    size: int = 0
    broken: list[BrokenRecord] = field(default_factory=list)
    faults: list[UnreadableValue] = field(default_factory=list)
    unknown_columns: frozenset[str] = frozenset()
    header: Sequence[str] = ()


def is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def as_text(data: bytes) -> str:
    """Bytes as text; bytes that are not UTF-8 as `\\xHH`."""
    return data.decode("utf-8", errors="backslashreplace")


def beginning_as_text(data: bytes) -> str:
    """The same for truncated bytes: a character that was cut in two is left out."""
    return codecs.getincrementaldecoder("utf-8")(errors="backslashreplace").decode(data, final=False)
