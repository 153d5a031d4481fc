"""The lines of a text file, plain or gzipped, in blocks of bounded size and a bounded number of lines.

A line ends with LF; a CR before it is kept. Of a line that is longer than a record may be, only the beginning is kept in
memory. Lines are counted here, independently of the readers that make records of them.

Not here: the meaning of a line (`csv_files`, `jsonl_files`).
"""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from warehouse.ingest.readers.records import MAX_RECORD_BYTES, RefusedFile

BLOCK_BYTES = 16 << 20
BLOCK_LINES = 250_000
"""The approximate maximum number of lines in a block: a record costs much more memory than its bytes."""

OVERLONG_HEAD_BYTES = 64 << 10
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Block:
    """Complete lines; the last line of a file may lack its LF."""

    data: bytes


@dataclass(frozen=True)
class OverlongLine:
    """A line too long to be a record: its first bytes."""

    head: bytes


class Lines:
    """The blocks of a file. After the last block, `count` is the number of lines in the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.count = 0

    def __iter__(self) -> Iterator[Block | OverlongLine]:
        try:
            with self._open() as file:
                yield from self._blocks(file)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise RefusedFile(f"not a complete gzip file: {error}") from error

    def _open(self) -> IO[bytes]:
        if self._path.name.endswith(".gz"):
            return cast(IO[bytes], gzip.open(self._path, "rb"))
        return self._path.open("rb")

    def _blocks(self, file: IO[bytes]) -> Iterator[Block | OverlongLine]:
        rest = b""
        overlong: bytes | None = None
        for chunk in _chunks(file):
            self.count += chunk.count(b"\n")
            if overlong is not None:
                end = chunk.find(b"\n")
                if end < 0:
                    continue
                yield OverlongLine(overlong)
                overlong, chunk = None, chunk[end + 1 :]
            cut = chunk.rfind(b"\n") + 1
            if cut:
                yield Block(b"".join((rest, memoryview(chunk)[:cut])))
                rest = b""
            rest += chunk[cut:]
            if len(rest) > MAX_RECORD_BYTES + len(b"\r"):
                overlong, rest = rest[:OVERLONG_HEAD_BYTES], b""
        if overlong is not None:
            self.count += 1
            yield OverlongLine(overlong)
        elif rest:
            self.count += 1
            yield Block(rest)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a file without its byte-order mark."""
    head = file.read(len(BYTE_ORDER_MARK))
    if head != BYTE_ORDER_MARK:
        yield head
    while chunk := file.read(BLOCK_BYTES):
        yield from _pieces(chunk)


def _pieces(chunk: bytes) -> Iterator[bytes]:
    """A chunk, halved until each piece has no more lines than a block may have; almost always in one piece."""
    if len(chunk) <= BLOCK_LINES or chunk.count(b"\n") <= BLOCK_LINES:
        yield chunk
        return
    middle = len(chunk) // 2
    yield from _pieces(chunk[:middle])
    yield from _pieces(chunk[middle:])
