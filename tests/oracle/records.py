"""The file formats in the oracle: the bytes of a CSV, JSON or Parquet file become records of texts.

Broken lines become broken records.

Not here: the rules for texts and rows (`values`, `admission`).
"""

import gzip
import io
import json
import math
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

from tests.oracle.values import WHITE_SPACE

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MOST_LINES = 100
MOST_BYTES = 1024 * 1024


class Refused(Exception):
    """A refused file; the message gives the reason."""


@dataclass(frozen=True)
class Unfit:
    """A value that is neither text nor a number."""

    reason: str


Cell = str | None | Unfit


@dataclass
class Record:
    number: int
    raw: str
    cells: dict[str, Cell] = field(default_factory=dict)
    # Why the line cannot be read at all; None for a record that can.
    broken: str | None = None
    repeated_keys: set[str] = field(default_factory=set)


@dataclass
class Reading:
    """The columns of a file, None if the format has no list of columns, and its records."""

    columns: list[str] | None
    records: list[Record]


def read_file(name: str, content: bytes, ids: frozenset[str] = frozenset()) -> Reading:
    content = decompressed(content)
    if not content:
        return Reading(None, [])
    kind = re.sub(r"\.(gz|zst|zstd)$", "", name.lower()).rpartition(".")[2]
    if kind == "parquet":
        return read_parquet(content, ids)
    return read_csv(content) if kind == "csv" else read_json(content)


def decompressed(content: bytes) -> bytes:
    """The first bytes tell whether a content is compressed."""
    try:
        if content.startswith(b"\x1f\x8b"):
            return gzip.decompress(content)
        if content.startswith(b"\x28\xb5\x2f\xfd"):
            return pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()
    except (OSError, EOFError, zlib.error) as error:
        raise Refused(f"truncated or corrupt: {error}") from None
    return content


def _lines(content: bytes) -> list[bytes]:
    """The lines without their line ends, LF or CRLF. Text after the last line end is a line if it is not empty."""
    # Silent: a mark before JSON lines. It is skipped there too.
    content = content.removeprefix(BYTE_ORDER_MARK)
    lines = content.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return lines


def _without_carriage_return(line: bytes) -> bytes:
    return line[:-1] if line.endswith(b"\r") else line


def _is_blank(line: bytes) -> bool:
    """Silent: whether white space alone makes a line blank. It does."""
    return not line.strip(WHITE_SPACE.encode())


def _as_it_came(line: bytes) -> str:
    return line.decode("utf-8", errors="backslashreplace")


class BrokenLine(Exception):
    """Text that is no record, whatever comes after it."""


class OpenQuote(BrokenLine):
    """Text that ends within a quoted field: later lines may complete the record."""


# CSV


def fields_of(text: str) -> list[str]:
    """The fields of exactly one record, parsed strictly."""
    fields: list[str] = []
    position = 0
    while True:
        if text[position : position + 1] == '"':
            value, position = _quoted_field(text, position + 1)
            if position < len(text) and text[position] != ",":
                raise BrokenLine("text after a closing quote")
        else:
            end = text.find(",", position)
            end = len(text) if end < 0 else end
            value, position = text[position:end], end
            if '"' in value:
                raise BrokenLine("a quote within an unquoted field")
            if "\n" in value:
                raise BrokenLine("a line break outside quotes")
        fields.append(value)
        if position == len(text):
            return fields
        position += 1


def _quoted_field(text: str, position: int) -> tuple[str, int]:
    """The value of a field whose opening quote is just before `position`, and the position after its closing quote."""
    value = ""
    while True:
        quote = text.find('"', position)
        if quote < 0:
            raise OpenQuote("an unclosed quote")
        value += text[position:quote]
        if text[quote + 1 : quote + 2] != '"':
            return value, quote + 1
        value += '"'
        position = quote + 2


def _strict(run: bytes) -> list[str]:
    if len(run) > MOST_BYTES:
        raise BrokenLine("longer than 1 MiB")
    if b"\0" in run:
        raise BrokenLine("a NUL")
    try:
        text = run.decode("utf-8")
    except UnicodeDecodeError:
        raise BrokenLine("no valid UTF-8") from None
    return fields_of(text)


def record_at(lines: list[bytes], start: int, width: int | None) -> tuple[list[str], int]:
    """The fields of the shortest run of lines from `start` that is a record of `width` fields, and its number of lines."""
    for count in range(1, min(MOST_LINES, len(lines) - start) + 1):
        run = _without_carriage_return(b"\n".join(lines[start : start + count]))
        try:
            fields = _strict(run)
        except OpenQuote as error:
            reason = error
            continue
        # Any other failure lies before the run's end, so a longer run, which begins alike, fails there too.
        if width is not None and len(fields) != width:
            raise BrokenLine(f"{len(fields)} fields in place of {width}")
        return fields, count
    raise reason


def _is_no_record(line: bytes) -> bool:
    return not line.strip(WHITE_SPACE.encode() + b",")


def read_csv(content: bytes) -> Reading:
    lines = _lines(content)
    first = lines[0].rstrip(WHITE_SPACE.encode()).rstrip(b",") if lines else b""
    at = 1 if lines and lines[0].startswith((b"sep=,", b'"sep=,"')) and first in (b"sep=", b'"sep=,"') else 0
    # Silent: blank lines before the header. They are passed over like any other.
    while at < len(lines) and _is_no_record(lines[at]):
        at += 1
    if at == len(lines):
        return Reading(None, [])
    try:
        header, count = record_at(lines, at, None)
    except BrokenLine as error:
        raise Refused(f"the header cannot be read: {error}") from None
    columns = [name.strip(WHITE_SPACE) for name in header]
    # Silent: lines that end with CR alone. The whole file would be a header, and its rows be lost unseen.
    if any("\r" in name.replace("\r\n", "") for name in columns):
        raise Refused("a CR without LF in the header")
    at += count
    records: list[Record] = []
    filled: set[int] = set()
    while at < len(lines):
        if _is_no_record(lines[at]):
            at += 1
            continue
        number = len(records) + 1
        try:
            fields, count = record_at(lines, at, len(columns))
        except BrokenLine as error:
            line = _without_carriage_return(lines[at])
            records.append(Record(number, _as_it_came(line), broken=str(error)))
            at += 1
            continue
        run = _without_carriage_return(b"\n".join(lines[at : at + count]))
        cells = {name: field for name, field in zip(columns, fields, strict=True) if name}
        filled |= {index for index, field in enumerate(fields) if not columns[index] and field.strip(WHITE_SPACE)}
        records.append(Record(number, _as_it_came(run), cells))
        at += count
    return Reading([name for index, name in enumerate(columns) if name or index in filled], records)


# JSON


class _Object(list):
    """A JSON object as a list of pairs, which keeps repeated keys."""


def _no_such_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_JSON = json.JSONDecoder(
    object_pairs_hook=_Object,
    # Numbers stay the text that they were written as.
    parse_int=str,
    parse_float=str,
    parse_constant=_no_such_constant,
)


def _json_cell(value: object) -> Cell:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return Unfit("a boolean")
    return Unfit("an object" if isinstance(value, _Object) else "an array")


def read_json(content: bytes) -> Reading:
    """Objects one after another, or an array of them and what follows it."""
    text = content.removeprefix(BYTE_ORDER_MARK).decode("utf-8", "surrogateescape")
    records: list[Record] = []
    at = _after(WHITE_SPACE, text, 0)
    in_array = text.startswith("[", at)
    at += in_array
    after_element = False
    while (at := _after(" \t\r\n", text, at)) < len(text):
        if in_array and (text[at] == "]" or (text[at] == "," and after_element)):
            in_array, after_element = text[at] == ",", False
            at += 1
            continue
        # Silent: a missing comma between elements, and one too many before the `]`. Both are read: in one way only.
        after_element = True
        value, end = _value_at(text, at)
        if isinstance(value, _Object):
            record = Record(len(records) + 1, text[at:end])
            for key, item in value:
                if key in record.cells:
                    record.repeated_keys.add(key)
                record.cells[key] = _json_cell(item)
        elif in_array and end:
            record = Record(len(records) + 1, text[at:end], broken="an element that is no object")
        else:
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            line = text[at:end].encode("utf-8", "surrogateescape").removesuffix(b"\r")
            record = Record(len(records) + 1, _as_it_came(line), broken="no valid JSON object")
            if _is_blank(line):
                at = end
                continue
        records.append(record)
        at = end
    if in_array:
        raise Refused("an array without its end")
    return Reading(None, records)


def _after(white_space: str, text: str, at: int) -> int:
    while at < len(text) and text[at] in white_space:
        at += 1
    return at


def _value_at(text: str, at: int) -> tuple[object, int]:
    """The JSON value that starts here and the place after it; 0 in its place if none of at most 1 MiB does."""
    try:
        value, end = _JSON.raw_decode(text, at)
        # Silent: half a surrogate pair, by escape. No UTF-8 can hold it, so an object with one is taken as broken.
        if isinstance(value, _Object):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        size = len(text[at:end].encode("utf-8"))
    except (ValueError, RecursionError):
        return None, 0
    return (value, end) if size <= MOST_BYTES else (None, 0)


# Parquet


def read_parquet(content: bytes, ids: frozenset[str] = frozenset()) -> Reading:
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        columns = file.schema_arrow.names
        if len(set(columns)) < len(columns):
            return Reading(columns, [])
        table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise Refused(f"not Parquet: {error}") from None
    texts = {name: _texts(table.column(name), name in ids) for name in columns}
    records = []
    for index in range(table.num_rows):
        cells = {name: texts[name][index] for name in columns}
        raw = json.dumps(cells, ensure_ascii=False, default=lambda unfit: unfit.reason)
        records.append(Record(index + 1, raw, cells))
    return Reading(columns, records)


def _texts(column: pa.ChunkedArray, of_ids: bool) -> list[Cell]:
    """The canonical text of each value."""
    kind = column.type
    if kind == pa.uuid():
        return _each(column, str)
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
        column = column.cast(kind)
    if pa.types.is_timestamp(kind):
        per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
        return _each(column.cast(pa.int64()), lambda value: _timestamp_text(value, per_second))
    if pa.types.is_date(kind):
        return _each(column.cast(pa.date32()).cast(pa.int32()), _date_text)
    if pa.types.is_boolean(kind):
        return _each(column, lambda _: Unfit("a boolean"))
    if pa.types.is_nested(kind):
        return _each(column, lambda _: Unfit("an array or object"))
    if pa.types.is_floating(kind):
        code = {16: "e", 32: "f", 64: "d"}[kind.bit_width]
        # Silent: half floats, which have eleven binary digits.
        limit = {"e": 2**11, "f": 2**24, "d": 2**53}[code] if of_ids else math.inf
        return _each(column, lambda value: _float_cell(value, code, limit))
    if pa.types.is_decimal(kind):
        # Silent: decimals keep the scale of their type.
        return _each(column, lambda value: format(value, "f"))
    if pa.types.is_null(kind) or pa.types.is_integer(kind):
        return _each(column, str)
    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        return _each(column, str)
    return _each(column.cast(pa.large_binary()), _utf8_text)


def _each(column: pa.ChunkedArray, text) -> list[Cell]:
    return [None if value is None else text(value) for value in _python_values(column)]


def _python_values(column: pa.ChunkedArray) -> Iterator[object]:
    for value in column:
        yield value.as_py() if value.is_valid else None


def _utf8_text(value: bytes) -> Cell:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return Unfit("no valid UTF-8")


def _timestamp_text(value: int, per_second: int) -> Cell:
    if value * 10**6 % per_second:
        return Unfit("a time with nanoseconds")
    seconds, rest = divmod(value, per_second)
    try:
        text = (datetime(1970, 1, 1) + timedelta(seconds=seconds)).isoformat(" ")
    except OverflowError:
        return Unfit("no such moment")
    fraction = str(rest).zfill(len(str(per_second)) - 1).rstrip("0") if rest else ""
    return f"{text}.{fraction}" if fraction else text


def _date_text(days: int) -> Cell:
    try:
        return (date(1970, 1, 1) + timedelta(days=days)).isoformat()
    except OverflowError:
        return Unfit("no such day")


def _float_cell(value: float, code: str, limit: float) -> Cell:
    if not math.isfinite(value):
        return Unfit("no number")
    return Unfit("a rounded id") if abs(value) >= limit else float_text(value, code)


def float_text(value: float, code: str = "d") -> str:
    """The shortest digits that give the same value in its own type, integral values without a point.

    Silent: very small and very large values have no exponent.
    """
    if value.is_integer():
        return str(int(value)) if abs(value) < 10**15 else format(Decimal(_shortest(value, code)), "f")
    return format(Decimal(_shortest(value, code)), "f")


def _shortest(value: float, code: str) -> str:
    if code == "d":
        text = repr(value)
        return text.removesuffix(".0")
    for digits in range(1, 18):
        text = format(value, f".{digits}g")
        try:
            if struct.pack(code, float(text)) == struct.pack(code, value):
                return text
        except OverflowError:
            # Rounding up at the very top of the width: more digits are needed.
            continue
    raise AssertionError(f"{value!r} has no text")
