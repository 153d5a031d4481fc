"""The lines of a text file, plain or gzipped, in blocks of bounded size and so many lines.

A line ends with LF; a CR before it is left on. A line beyond the size of a record is not held in memory: its beginning
stands for it. The lines that went out are counted here, apart from whoever makes records of them.

Not here: what a line means (`csv_files`, `jsonl_files`).
"""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from warehouse.ingest.readers.records import MAX_RECORD_BYTES, RefusedFile

BLOCK_BYTES = 16 << 20
BLOCK_LINES = 250_000
"""About as many lines as go into a block, however short they are: a record costs much more than its bytes."""

OVERLONG_HEAD_BYTES = 64 << 10
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Block:
    """Whole lines; the last of the file may lack its LF."""

    data: bytes


@dataclass(frozen=True)
class OverlongLine:
    """A line too long to be a record: its first bytes."""

    head: bytes


class Lines:
    """The blocks of a file. `count` is, after the last block, the number of lines there were."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.count = 0

    def __iter__(self) -> Iterator[Block | OverlongLine]:
        try:
            with self._open() as file:
                yield from self._blocks(file)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise RefusedFile(f"not a whole gzip file: {error}") from error

    def _open(self) -> BinaryIO:
        return gzip.open(self._path, "rb") if self._path.name.endswith(".gz") else self._path.open("rb")

    def _blocks(self, file: BinaryIO) -> Iterator[Block | OverlongLine]:
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


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    """The bytes of a file, but for its byte-order mark."""
    head = file.read(len(BYTE_ORDER_MARK))
    if head != BYTE_ORDER_MARK:
        yield head
    while chunk := file.read(BLOCK_BYTES):
        yield from _pieces(chunk)


def _pieces(chunk: bytes) -> Iterator[bytes]:
    """A chunk in one piece, as almost always, or in as many as keep each to the lines that a block may hold."""
    if len(chunk) <= BLOCK_LINES or chunk.count(b"\n") <= BLOCK_LINES:
        yield chunk
        return
    middle = len(chunk) // 2
    yield from _pieces(chunk[:middle])
    yield from _pieces(chunk[middle:])
