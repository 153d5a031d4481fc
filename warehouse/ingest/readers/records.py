"""The output of every reader: batches of records as text, broken records, and the refusal of a whole file.

Not here: the formats (`csv_files`, `json_files`, `parquet_files`).
"""

import codecs
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import polars as pl

from models.rejections import UnreadableValue
from warehouse.landing import FileKind

MAX_RECORD_BYTES = 1 << 20
MAX_RECORD_LINES = 100
MAX_COLUMNS = 1_000
"""Columns of a file. Exports of real systems have some hundred at most."""
MAX_UNKNOWN_COLUMNS = 100
"""Names of unknown columns that are recorded for a batch: a JSON file may have another key in each record."""
NAMES_SHOWN = 20
MAX_RAW_BYTES = 128 << 10
"""Of a broken record, as much is kept in memory. The quarantine keeps half, so that no id at the cut is only half there."""


class RefusedFile(Exception):
    """A file that cannot be loaded at all; the message gives the reason, for the person who fixes the file."""


class ReconciliationError(Exception):
    """The records of the batches do not add up to those of the file: an error of the load, never of the file."""


def names_shown(names: Iterable[str], separator: str = ", ") -> str:
    """Names of columns for a message: without text that looks like no name, as in a file without a header line it could be a
    phone number.
    """
    shown = [name for name in names if re.fullmatch(r"[A-Za-z_][A-Za-z_ ]{0,60}", name)]
    return separator.join([*shown[:NAMES_SHOWN], *["…"] * (len(shown) > NAMES_SHOWN)])


@dataclass(frozen=True)
class FileFormat:
    """How a file is written; ValueError if an option is not known. The defaults are the contract of the logs."""

    kind: FileKind
    delimiter: str = ","
    """Of CSV: one ASCII character."""
    encoding: str = "utf-8"
    """Of CSV and JSON: the name of a codec of Python."""
    records: str = ""
    """Of JSON: the key of the array that holds the records, in each object of the file; empty if the objects are the records."""

    def __post_init__(self) -> None:
        if len(self.delimiter) != 1 or not self.delimiter.isascii() or self.delimiter in '"\r\n\0':
            raise ValueError(
                f"delimiter {self.delimiter!r} is not one ASCII character other than a quote or a line end"
            )
        try:
            "".encode(self.encoding)
        except LookupError as error:
            raise ValueError(f"encoding {self.encoding!r} is not known") from error

    @property
    def is_utf8(self) -> bool:
        return codecs.lookup(self.encoding).name == "utf-8"


@dataclass(frozen=True)
class Layout:
    """The columns to read, and those that every file must have."""

    columns: tuple[str, ...]
    required: tuple[str, ...] = ()
    nested_as_json: bool = False
    """Booleans, arrays and objects are given as JSON text, where else they reject the row."""
    all_columns: bool = False
    """The other columns of the file are given too, after `columns`; those of a batch, if the format has no header."""
    ids: frozenset[str] = frozenset()
    """The columns that hold ids: of a floating-point type, a large id rejects its row."""

    def columns_with(self, names: Iterable[str]) -> list[str]:
        """The columns of a batch of a file that has columns of these names."""
        more = [name for name in dict.fromkeys(names) if name not in self.columns] if self.all_columns else []
        return [*self.columns, *more]

    def check(self, columns: Sequence[str]) -> list[str]:
        """The columns of a file that the log does not have; RefusedFile if a column occurs twice or a required one is missing."""
        if len(columns) > MAX_COLUMNS:
            raise RefusedFile(f"{len(columns):,} columns; a file may have {MAX_COLUMNS:,}")
        duplicates = sorted(name for name, count in Counter(columns).items() if count > 1)
        if duplicates:
            raise RefusedFile(f"column twice: {names_shown(duplicates) or 'one without a name'}; keep one of each")
        missing = [name for name in self.required if name not in columns]
        if missing:
            unknown = names_shown([name for name in columns if name not in self.columns])
            hint = f"; found, but not of this log: {unknown}" if unknown else ""
            hint += "" if set(columns) & set(self.columns) else "; is there a header line?"
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
    rows do not name their columns. `present` are the columns of `text` that occur in the file or, if the format has no header,
    in a record of the batch; it is filled if the layout has `nested_as_json`. Of the records of a batch, a mapping has
    `not_selected` so many.
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
    present: frozenset[str] = frozenset()
    not_selected: int = 0
    is_mapped: bool = False

    def identifiers(self, indices: Sequence[int]) -> list[list[str]]:
        """The contact and number in each of these rows, if a mapping gives them: they may stand otherwise in the raw row."""
        names = [name for name in ("contact_id", "mobile_number") if name in self.text.columns and self.is_mapped]
        rows = self.text[list(indices)].select(names).rows() if names else [()] * len(indices)
        return [[value.strip() for value in row if value is not None] for row in rows]


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
