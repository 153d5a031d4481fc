"""Records of line-based files, plain or gzipped, read in blocks of bounded size and a bounded number of lines.

A line ends with LF; a CR before it is kept. Of a line that is longer than a record may be, only the beginning is kept in
memory. Lines are counted here, independently of the readers that make records of them.

Not here: the meaning of a line (`csv_files`, `json_files`).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from models.rejections import TOO_LONG
from warehouse.ingest.readers.content import read_chunks
from warehouse.ingest.readers.records import (
    MAX_RECORD_BYTES,
    BrokenRecord,
    FileFormat,
    Layout,
    ReconciliationError,
    Records,
    beginning_as_text,
)

WHITE_SPACE = b" \t\n\x0b\x0c\r"
OVERLONG_HEAD_BYTES = 64 << 10


@dataclass(frozen=True)
class OverlongLine:
    """A line too long to be a record: its first bytes, and whether it is blank, so that it is none."""

    head: bytes
    is_blank: bool


class LineReader(ABC):
    """Turns the lines of a file into batches of records, and counts both. Subclasses know the meaning of a line."""

    header: Sequence[str] = ()
    blanks = WHITE_SPACE
    """A line of nothing but these is no record."""

    def __init__(self, layout: Layout, file_format: FileFormat) -> None:
        self.layout = layout
        self.file_format = file_format
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
        """A batch with one broken record, or none."""
        self.lines_read += 1
        self.records_read += not line.is_blank
        broken = [BrokenRecord.of(self.records_read, TOO_LONG, beginning_as_text(line.head))] * (not line.is_blank)
        no_rows = pl.DataFrame(schema=dict.fromkeys(self.layout.columns_with(self.header), pl.String))
        return Records(no_rows, NO_NUMBERS, no_raw_rows, len(broken), len(line.head), broken, header=self.header)

    def _blocks(self, path: Path) -> Iterator[bytes | OverlongLine]:
        """Blocks of complete lines; the last line of a file may lack its LF."""
        rest = b""
        overlong: bytes | None = None
        is_blank = False
        for chunk in read_chunks(path, self.file_format):
            self._lines_in_file += chunk.count(b"\n")
            if overlong is not None:
                end = chunk.find(b"\n")
                is_blank = is_blank and not (chunk if end < 0 else chunk[:end]).strip(self.blanks)
                if end < 0:
                    continue
                yield OverlongLine(overlong, is_blank)
                overlong, chunk = None, chunk[end + 1 :]
            cut = chunk.rfind(b"\n") + 1
            if cut:
                yield b"".join((rest, memoryview(chunk)[:cut]))
                rest = b""
            rest += chunk[cut:]
            if len(rest) > MAX_RECORD_BYTES + len(b"\r"):
                is_blank = not rest.strip(self.blanks)
                overlong, rest = rest[:OVERLONG_HEAD_BYTES], b""
        if overlong is not None or rest:
            self._lines_in_file += 1
            yield rest if overlong is None else OverlongLine(overlong, is_blank)


NO_NUMBERS = pl.Series([], dtype=pl.Int64)


def no_raw_rows(indices: Sequence[int]) -> list[str]:
    return []
