"""The content of text files: decompressed, as UTF-8, in chunks with a bounded size and number of lines.

The first bytes tell the compression, whatever the file is called. Content that no text file has is refused by what it is.

Not here: lines and records (`lines`, `csv_files`, `json_files`).
"""

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO, BinaryIO, cast

import pyarrow as pa

from warehouse.ingest.readers.records import FileFormat, RefusedFile
from warehouse.storage import open_regular

BLOCK_BYTES = 16 << 20
BLOCK_LINES = 250_000
"""The approximate maximum number of lines in a chunk: a record costs much more memory than its bytes."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

GZIP, ZSTD = "gzip", "zstd"
HEAD_BYTES = 64
_SIGNATURES = {
    b"\x1f\x8b": GZIP,
    b"\x28\xb5\x2f\xfd": ZSTD,
    b"PAR1": "Parquet",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Obj\x01": "Avro",
    b"ORC": "ORC",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_LETTERS = (b"PAR1", b"BZh", b"ORC")
"""Signatures that text may begin with, too."""
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_JSON_BEGINNING = re.compile(rb'(\xef\xbb\xbf)?\s*(\[\s*)?\{\s*"')
_WAYS_OUT = {
    "CSV": "name it `.csv`",
    "JSON": "name it `.jsonl`",
    "Parquet": "name it `.parquet`",
    "zip": "unpack it, or export CSV or JSON, compressed with gzip or zstd or not at all",
    "UTF-16": "save it as UTF-8, or set `encoding: utf-16` in the `format` of a source",
}
_OTHER_WAY_OUT = "export CSV, JSON or Parquet; CSV and JSON may be compressed with gzip or zstd"


def type_of_content(head: bytes) -> str:
    """The type that the first bytes of a file tell; empty if it may be text."""
    for signature, name in _SIGNATURES.items():
        if head.startswith(signature) and (signature not in _LETTERS or _CONTROL.search(head)):
            return name
    if head[1:4] == b"*M\x18" and head[0] >> 4 == 5:
        return ZSTD  # a frame that is skipped, as parallel compressors write
    is_wide = len(head) >= 4 and (any(head[0:4:2]), any(head[1:4:2])) in ((True, False), (False, True))
    return "UTF-16" if is_wide and b"\n" not in head[:4] else ""


def wrong_type(found: str, expected: str) -> RefusedFile:
    """The refusal of a file with content of another type than its name, or the format of its source, tells."""
    return RefusedFile(f"{found}, not {expected} as its name says; {_WAYS_OUT.get(found, _OTHER_WAY_OUT)}")


def type_of_text(head: bytes) -> str:
    """The type of a file that is probably text by its first bytes: JSON or CSV; empty if it is binary."""
    return "" if _CONTROL.search(head) else "JSON" if _JSON_BEGINNING.match(head) else "CSV"


def read_chunks(path: Path, file_format: FileFormat) -> Iterator[bytes]:
    """The content of a file in chunks, without its byte-order mark; RefusedFile if it is damaged, or no text."""
    with open_regular(path) as opened:
        compression = type_of_content(opened.read(HEAD_BYTES))
        opened.seek(0)
        try:
            file = _decompressed(opened, compression)
            first = file.read(BLOCK_BYTES)
            _check(first[:HEAD_BYTES], compression, file_format)
            chunks: Iterator[bytes] = chain([first], iter(lambda: file.read(BLOCK_BYTES), b""))
            del first  # or it would be kept as long as the file is read
            if not file_format.is_utf8:
                chunks = _transcoded(chunks, file_format.encoding)
            for chunk in _without_mark(chunks):
                yield from _pieces(chunk)
        except (EOFError, gzip.BadGzipFile, zlib.error, pa.ArrowInvalid) as error:
            raise RefusedFile(f"not a complete {compression} file: {error}") from error
        except OSError as error:
            if error.errno or compression != ZSTD:
                raise  # an error of the system, not of the content
            raise RefusedFile(f"not a complete {compression} file: {error}") from error


def _decompressed(file: BinaryIO, compression: str) -> IO[bytes]:
    if compression == GZIP:
        return cast(IO[bytes], gzip.open(file))
    return cast(IO[bytes], pa.CompressedInputStream(pa.PythonFile(file), "zstd")) if compression == ZSTD else file


def _check(head: bytes, compression: str, file_format: FileFormat) -> None:
    """RefusedFile if the first bytes show that a decompressed file is no text in its encoding."""
    found = type_of_content(head)
    if file_format.kind == "csv" and _JSON_BEGINNING.match(head):  # a header cannot be parsed if it begins so
        found = "JSON"
    if not found or (found == "UTF-16" and not file_format.is_utf8):
        return
    if compression and found in (GZIP, ZSTD):
        raise RefusedFile(f"compressed twice: {found} within {compression}; compress it once")
    if found == "UTF-16":
        raise RefusedFile(f"UTF-16, must be UTF-8; {_WAYS_OUT[found]}")
    raise wrong_type(found, "CSV" if file_format.kind == "csv" else "JSON")


def _without_mark(chunks: Iterator[bytes]) -> Iterator[bytes]:
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= len(BYTE_ORDER_MARK):
            break
    yield head.removeprefix(BYTE_ORDER_MARK)
    yield from chunks


def _transcoded(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Text of another encoding as UTF-8. Bytes that the encoding does not know stay, so that their line is a broken one."""
    decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
    try:
        for chunk in chunks:
            yield decoder.decode(chunk).encode("utf-8", "surrogateescape")
        yield decoder.decode(b"", final=True).encode("utf-8", "surrogateescape")
    except UnicodeError as error:
        raise RefusedFile(f"not text in the encoding {encoding}") from error


def _pieces(chunk: bytes) -> Iterator[bytes]:
    """A chunk, halved until each piece has no more lines than a block may have; almost always in one piece."""
    if len(chunk) <= BLOCK_LINES or chunk.count(b"\n") <= BLOCK_LINES:
        yield chunk
        return
    middle = len(chunk) // 2
    yield from _pieces(chunk[:middle])
    yield from _pieces(chunk[middle:])
