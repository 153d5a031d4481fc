"""What every reader gives: batches of records as text, broken records, and the refusal of a whole file.

Not here: how a format is read (`csv_files`, `jsonl_files`, `parquet_files`).
"""

import codecs
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import polars as pl

MAX_RECORD_BYTES = 1 << 20
MAX_RECORD_LINES = 100


class RefusedFile(Exception):
    """A file that cannot be taken as a whole; the message says why, for a person to mend it."""


class ReconciliationError(Exception):
    """Records were lost or invented between a file and its batches: a fault of the load, never of the file."""


@dataclass(frozen=True)
class Layout:
    """What a reader needs to know of a log: its columns, and those that a file must have."""

    columns: tuple[str, ...]
    required: tuple[str, ...]

    def check(self, found: Sequence[str]) -> list[str]:
        """The columns of a file that the log does not know.

        Raises:
            RefusedFile: a column stands there twice, or a required one not at all.
        """
        twice = sorted({name for name in found if found.count(name) > 1})
        if twice:
            # Only what looks like a name is told: without a header line it could be somebody's number.
            names = [repr(name) for name in twice if re.fullmatch(r"[A-Za-z_][A-Za-z_ ]{0,60}", name)]
            raise RefusedFile(f"column twice: {', '.join(names) or 'one without a name'}; keep one of each")
        missing = [name for name in self.required if name not in found]
        if missing:
            hint = "" if set(found) & set(self.columns) else "; is there a header line?"
            raise RefusedFile(f"required column missing: {', '.join(missing)}{hint}")
        return [name for name in found if name not in self.columns]


@dataclass(frozen=True)
class BrokenRecord:
    """A record that could not be read at all: every way in which it is broken, and its bytes as text."""

    row_number: int
    reasons: tuple[str, ...]
    raw: str


@dataclass(frozen=True)
class UnreadableValue:
    """A value that is not text or a number: found by the reader, since only it sees the format's own types."""

    index: int
    column: str
    rule: str


@dataclass
class Records:
    """A batch of one file.

    `text` has every column of the layout as strings, in the layout's order, null where the file has none;
    `row_numbers` are the records' places in the file (1 = the first), one per row of `text`; `raw(indices)` gives rows
    as they came. `count` is the number of records that the batch accounts for, counted without the parser. `header` are
    the file's columns in its order, where rows as they came do not name them.
    """

    text: pl.DataFrame
    row_numbers: pl.Series
    raw: Callable[[Sequence[int]], list[str]]
    count: int
    broken: list[BrokenRecord] = field(default_factory=list)
    faults: list[UnreadableValue] = field(default_factory=list)
    unknown_columns: frozenset[str] = frozenset()
    header: Sequence[str] = ()


def as_text(data: bytes) -> str:
    """Bytes as text: what is not UTF-8 as `\\xHH`."""
    return data.decode("utf-8", errors="backslashreplace")


def beginning_as_text(data: bytes) -> str:
    """The same of bytes that were cut: a letter that was cut in two is left out."""
    return codecs.getincrementaldecoder("utf-8")(errors="backslashreplace").decode(data, final=False)
