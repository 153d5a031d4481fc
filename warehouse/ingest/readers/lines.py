"""Records of line-based files, plain or gzipped, read in blocks of bounded size and a bounded number of lines.

A line ends with LF; a CR before it is kept. Of a line that is longer than a record may be, only the beginning is kept in
memory. Lines are counted here, independently of the readers that make records of them.

Not here: the meaning of a line (`csv_files`, `jsonl_files`).
"""

import gzip
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

import polars as pl

from models.rejections import TOO_LONG
from warehouse.ingest.readers.records import (
    MAX_RECORD_BYTES,
    BrokenRecord,
    Layout,
    ReconciliationError,
    Records,
    RefusedFile,
    beginning_as_text,
)
from warehouse.storage import open_regular

WHITE_SPACE = b" \t\n\x0b\x0c\r"
BLOCK_BYTES = 16 << 20
BLOCK_LINES = 250_000
"""The approximate maximum number of lines in a block: a record costs much more memory than its bytes."""

OVERLONG_HEAD_BYTES = 64 << 10
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class OverlongLine:
    """A line too long to be a record: its first bytes."""

    head: bytes


class LineReader(ABC):
    """Turns the lines of a file into batches of records, and counts both. Subclasses know the meaning of a line."""

    header: Sequence[str] = ()

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.records_read = 0
        self.lines_read = 0
        self._lines_in_file = 0

    @abstractmethod
    def records_of(self, data: bytes, *, is_last: bool) -> tuple[Records, bytes]:
        """The records of these lines, and the bytes of a record that further lines may complete."""

    def read(self, path: Path) -> Iterator[Records]:
        """The records of a file. ReconciliationError if not every line was accounted for, RefusedFile if the file is damaged."""
        carried = b""
        for block in self._blocks(path):
            if isinstance(block, OverlongLine):
                if carried:
                    yield self.records_of(carried, is_last=True)[0]
                    carried = b""
                yield self.overlong_line(block)
            else:
                batch, carried = self.records_of(carried + block, is_last=False)
                batch.size = 2 * len(block)  # the lines, and the values
                yield batch
        if carried:
            yield self.records_of(carried, is_last=True)[0]
        if self.lines_read != self._lines_in_file:
            raise ReconciliationError(f"{self._lines_in_file} lines in the file, {self.lines_read} accounted for")

    def overlong_line(self, line: OverlongLine) -> Records:
        """A batch with one broken record."""
        self.lines_read += 1
        self.records_read += 1
        broken = BrokenRecord.of(self.records_read, TOO_LONG, beginning_as_text(line.head))
        no_rows = pl.DataFrame(schema=dict.fromkeys(self.layout.columns, pl.String))
        return Records(no_rows, NO_NUMBERS, no_raw_rows, 1, len(line.head), [broken], header=self.header)

    def _blocks(self, path: Path) -> Iterator[bytes | OverlongLine]:
        """Blocks of complete lines; the last line of a file may lack its LF."""
        rest = b""
        overlong: bytes | None = None
        for chunk in _chunks(path):
            self._lines_in_file += chunk.count(b"\n")
            if overlong is not None:
                end = chunk.find(b"\n")
                if end < 0:
                    continue
                yield OverlongLine(overlong)
                overlong, chunk = None, chunk[end + 1 :]
            cut = chunk.rfind(b"\n") + 1
            if cut:
                yield b"".join((rest, memoryview(chunk)[:cut]))
                rest = b""
            rest += chunk[cut:]
            if len(rest) > MAX_RECORD_BYTES + len(b"\r"):
                overlong, rest = rest[:OVERLONG_HEAD_BYTES], b""
        if overlong is not None or rest:
            self._lines_in_file += 1
            yield rest if overlong is None else OverlongLine(overlong)


NO_NUMBERS = pl.Series([], dtype=pl.Int64)


def no_raw_rows(indices: Sequence[int]) -> list[str]:
    return []


def _chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, decompressed, without its byte-order mark."""
    try:
        with open_regular(path) as opened, _decompressed(path, opened) as file:
            head = file.read(len(BYTE_ORDER_MARK))
            if head != BYTE_ORDER_MARK:
                yield head
            while chunk := file.read(BLOCK_BYTES):
                yield from _pieces(chunk)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise RefusedFile(f"not a complete gzip file: {error}") from error


def _decompressed(path: Path, file: BinaryIO) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(file)) if path.name.endswith(".gz") else file


def _pieces(chunk: bytes) -> Iterator[bytes]:
    """A chunk, halved until each piece has no more lines than a block may have; almost always in one piece."""
    if len(chunk) <= BLOCK_LINES or chunk.count(b"\n") <= BLOCK_LINES:
        yield chunk
        return
    middle = len(chunk) // 2
    yield from _pieces(chunk[:middle])
    yield from _pieces(chunk[middle:])
