"""Rows as the bytes of a file, in every notation of a value that the contract allows.

Only notations that the contract defines are used, so that every correct reader gets the same values.
"""

import gzip
import io
import json
import random
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

from tests.oracle.logs import LOGS

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
EXTENSIONS = ("csv", "csv.gz", "csv.zst", "json", "jsonl", "jsonl.gz", "ndjson.zstd", "parquet")
NO_NAMES = ("", " ")
UNKNOWN_COLUMNS = ("extra", "Message_ID", "tenant")
OFFSETS = (
    ("", 0),
    ("Z", 0),
    ("+00:00", 0),
    ("-00", 0),
    ("+02:00", 120),
    ("-05:30", -330),
    ("+0545", 345),
    ("-11", -660),
    ("+23:59", 1439),
    ("z", 0),
    (" Z", 0),
    (" UTC", 0),
    (" GMT", 0),
    (" +0200", 120),
)


@dataclass(frozen=True)
class AsIs:
    """A text that is written unchanged, good or bad."""

    text: str


@dataclass(frozen=True)
class Line:
    """One or more lines that are written unchanged in place of a row."""

    content: bytes


def render(rng: random.Random, extension: str, log: str, rows: list[dict | Line]) -> bytes:
    if extension == "parquet":
        return parquet_bytes(rng, log, rows)
    writer = csv_bytes if extension.startswith("csv") else json_bytes
    return compressed(rng, extension, writer(rng, log, rows))


def compressed(rng: random.Random, extension: str, content: bytes) -> bytes:
    """Compressed as the extension says, sometimes otherwise; sometimes in two parts, which is valid."""
    named = {"gz": "gzip", "zst": "zstd", "zstd": "zstd"}.get(extension.rpartition(".")[2], "none")
    compression = rng.choice(("gzip", "zstd", "none")) if rng.random() < 0.15 else named
    compress = {"gzip": lambda part: gzip.compress(part, mtime=0), "zstd": zstd, "none": bytes}[compression]
    if rng.random() < 0.2:
        middle = len(content) // 2
        return compress(content[:middle]) + compress(content[middle:])
    return compress(content)


def zstd(content: bytes) -> bytes:
    buffer = pa.BufferOutputStream()
    with pa.CompressedOutputStream(buffer, "zstd") as stream:
        stream.write(content)
    return buffer.getvalue().to_pybytes()


# Values


def timestamp_text(rng: random.Random, moment: datetime) -> str:
    offset, minutes = rng.choice(OFFSETS)
    local = moment + timedelta(minutes=minutes)
    if local.year < 1900 or local.year > 9990:
        offset, local = "", moment
    text = f"{local:%Y-%m-%d}{rng.choice('TTT  t')}{local:%H:%M}"
    if local.microsecond:
        text += f":{local:%S}.{local:%f}".rstrip("0") if rng.random() < 0.5 else f":{local:%S}.{local:%f}"
        text += rng.choice(("", "", "", "000"))
    elif local.second or rng.random() < 0.8:
        text += f":{local:%S}" + rng.choice(("", "", ".0", ".000", ".000000", ".000000000"))
    return text + offset


def plain_text(value: int | Decimal) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def exponent_text(rng: random.Random, value: Decimal) -> str:
    places = rng.randint(-8, 8)
    letter, sign = rng.choice("eE"), "-" if places < 0 else rng.choice(("", "+"))
    return f"{value.scaleb(-places):f}{letter}{sign}{abs(places):0{rng.randint(1, 3)}}"


def number_text(rng: random.Random, value: int | Decimal) -> str:
    text = plain_text(value)
    if isinstance(value, int):
        text += "." + "0" * rng.randint(1, 3) if rng.random() < 0.1 else ""
    elif rng.random() < 0.1:
        text = exponent_text(rng, value)
    elif rng.random() < 0.3:
        text += ("" if "." in text else ".") + "0" * rng.randint(1, 9)
    if rng.random() < 0.1:
        text = "0" * rng.randint(1, 25) + text
    return "+" + text if rng.random() < 0.1 else text


def value_text(rng: random.Random, log: str, column: str, value: object) -> str:
    kind = LOGS[log][column].kind
    if isinstance(value, datetime):
        text = timestamp_text(rng, value)
    elif isinstance(value, date):
        text = value.isoformat()
    elif isinstance(value, int | Decimal):
        text = number_text(rng, value)
    elif kind in ("currency", "upper"):
        text = rng.choice((value, value, value.lower(), value.title()))
    else:
        text = value
    if rng.random() < 0.04:
        text = rng.choice((" ", "\t", "\n", "\v\f", "\r\n")) + text
    return text + rng.choice((" ", "\t ", "\n", "\f", "\r")) if rng.random() < 0.04 else text


def cell_text(rng: random.Random, log: str, column: str, value: object) -> str:
    """Null is written as an empty text or as white space."""
    if isinstance(value, AsIs):
        return value.text
    if value is None:
        return rng.choice(("", "", "", " ", "\t"))
    return value_text(rng, log, column, value)


def _columns_used(rng: random.Random, log: str, rows: list[dict]) -> list[str]:
    """All columns in random order, sometimes without optional columns that are always null."""
    columns = [
        name
        for name, column in LOGS[log].items()
        if column.required or any(row.get(name) is not None for row in rows) or rng.random() < 0.7
    ]
    if rng.random() < 0.8:
        rng.shuffle(columns)
    return columns


# CSV


def csv_columns(rng: random.Random, log: str, rows: list[dict]) -> list[str]:
    columns = _columns_used(rng, log, rows)
    if rng.random() < 0.3:
        columns.insert(rng.randint(0, len(columns)), rng.choice(UNKNOWN_COLUMNS))
    for _ in range(rng.choice((0, 0, 0, 1, 3))):
        columns.insert(rng.choice((len(columns), rng.randint(0, len(columns)))), rng.choice(NO_NAMES))
    return columns


def csv_field(rng: random.Random, text: str) -> str:
    if any(letter in text for letter in '",\n\r') or rng.random() < 0.05:
        return '"' + text.replace('"', '""') + '"'
    return text


def csv_row(rng: random.Random, log: str, columns: list[str], row: dict) -> bytes:
    others = dict.fromkeys(NO_NAMES, ("", "  "))
    texts = [
        cell_text(rng, log, column, row.get(column))
        if column in LOGS[log]
        else rng.choice(others.get(column, ("", "x", "1,5")))
        for column in columns
    ]
    fields = [csv_field(rng, text) for text in texts]
    if not "".join(fields).strip():
        # Commas and blanks alone are no record: quotes make one of them.
        fields[0] = '""'
    return ",".join(fields).encode()


def csv_bytes(rng: random.Random, log: str, rows: list[dict | Line], columns: list[str] | None = None) -> bytes:
    columns = columns or csv_columns(rng, log, [row for row in rows if isinstance(row, dict)])
    header = ",".join(csv_field(rng, f" {name}\t" if rng.random() < 0.1 else name) for name in columns).encode()
    records = [row.content if isinstance(row, Line) else csv_row(rng, log, columns, row) for row in rows]
    for _ in range(rng.choice((0, 0, 0, 2))):
        records.insert(rng.randint(0, len(records)), rng.choice((b",", b"," * (len(columns) - 1), b" ,,")))
    content = _joined(
        rng, [*[rng.choice([b"sep=,", b"sep=,,,", b'"sep=,",'])] * (rng.random() < 0.1), header, *records]
    )
    return BYTE_ORDER_MARK + content if rng.random() < 0.3 else content


def _joined(rng: random.Random, records: list[bytes]) -> bytes:
    """With line ends of one kind or both, some blank lines, and sometimes without the last line end."""
    ends = rng.choice(([b"\n"], [b"\r\n"], [b"\n"], [b"\r\n"], [b"\n", b"\r\n"]))
    content = b""
    for record in records:
        content += record + rng.choice(ends)
        if rng.random() < 0.04:
            content += rng.choice(ends)
    if records and rng.random() < 0.2:
        content = content.rstrip(b"\r\n")
    return content


# JSON lines


def json_value(rng: random.Random, log: str, column: str, value: object) -> str:
    """A JSON literal; numbers with or without quotes."""
    if isinstance(value, AsIs):
        return json.dumps(value.text, ensure_ascii=rng.random() < 0.5)
    if value is None:
        return rng.choice(("null", '""', '" "'))
    if isinstance(value, int | Decimal) and rng.random() < 0.6:
        text = plain_text(value)
        if isinstance(value, Decimal) and rng.random() < 0.1:
            return exponent_text(rng, value)
        return f"{text}00" if "." in text and rng.random() < 0.3 else text
    if column == "error_code" and re.fullmatch("0|[1-9][0-9]*", value) and rng.random() < 0.5:
        return value
    return json.dumps(value_text(rng, log, column, value), ensure_ascii=rng.random() < 0.5)


def json_pairs(rng: random.Random, log: str, row: dict) -> list[tuple[str, str]]:
    pairs = [
        (column, json_value(rng, log, column, row[column]))
        for column in LOGS[log]
        if column in row and (row[column] is not None or rng.random() < 0.3)
    ]
    if rng.random() < 0.05:
        pairs.append((rng.choice(UNKNOWN_COLUMNS), rng.choice(("true", "[1, 2]", '{"a": {"b": null}}', '"x"', "1e3"))))
    if rng.random() < 0.2:
        rng.shuffle(pairs)
    return pairs


def json_object(rng: random.Random, pairs: list[tuple[str, str]]) -> bytes:
    comma, colon = rng.choice(((", ", ": "), (",", ":"), (" ,\t", " : ")))
    return ("{" + comma.join(f'"{key}"{colon}{literal}' for key, literal in pairs) + "}").encode()


def json_bytes(rng: random.Random, log: str, rows: list[dict | Line]) -> bytes:
    """One object a line, or another form that a JSON file may have; with broken lines among them, lines stay lines."""
    objects = [row.content if isinstance(row, Line) else json_object(rng, json_pairs(rng, log, row)) for row in rows]
    form = rng.choice(("lines", "lines", "lines", "laid out", "array"))
    has_lines = any(isinstance(row, Line) for row in rows)
    if form == "laid out":
        objects = [
            content if isinstance(row, Line) else content.replace(b"{", b"{\n  ", 1)
            for row, content in zip(rows, objects, strict=True)
        ]
    if form == "array" and not has_lines:
        return b" [" + rng.choice((b",", b",\n", b"\n, ")).join(objects) + rng.choice((b"]", b"\n]\n"))
    if form != "lines" and not has_lines:
        return rng.choice((b"", b" ", b"\n", b"\r\n\r\n")).join(objects)
    return _joined(rng, objects)


# Parquet


def parquet_bytes(rng: random.Random, log: str, rows: list[dict], columns: list[str] | None = None) -> bytes:
    columns = columns or _columns_used(rng, log, rows)
    arrays = [_parquet_column(rng, log, column, [row.get(column) for row in rows]) for column in columns]
    if rng.random() < 0.2:
        columns = [*columns, rng.choice(UNKNOWN_COLUMNS)]
        arrays.append(pa.array([rng.choice((True, None)) for _ in rows], pa.bool_()))
    return parquet_file(rng, columns, arrays)


def parquet_file(rng: random.Random, columns: list[str], arrays: list[pa.Array]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(
        pa.Table.from_arrays(arrays, names=columns),
        buffer,
        compression=rng.choice(("snappy", "none", "gzip", "zstd")),
        row_group_size=rng.choice((5, 1000)),
    )
    return buffer.getvalue()


def _parquet_column(rng: random.Random, log: str, column: str, values: list) -> pa.Array:
    """A column of the type of its values, or of text; always of text if a value must be written unchanged."""
    filled = [value for value in values if value is not None]
    kind = LOGS[log][column].kind
    typed = filled and not any(isinstance(value, AsIs) for value in filled) and rng.random() < 0.8
    if not filled:
        return _empty_column(rng, kind, len(values))
    if typed and kind == "timestamp":
        units = ["us", "us", "ns"] + (["ms"] if all(value.microsecond % 1000 == 0 for value in filled) else [])
        return pa.array(values, pa.timestamp(rng.choice(units), rng.choice((None, "UTC", "Europe/Berlin"))))
    if typed and kind == "date":
        return pa.array(values, pa.date32())
    if typed and kind == "integer":
        return pa.array(values, rng.choice(_integer_types(filled)))
    if typed and kind == "decimal":
        return _decimal_column(rng, values, LOGS[log][column].digits[1])
    if typed and column == "error_code" and all(re.fullmatch("0|[1-9][0-9]*", value) for value in filled):
        return pa.array([value and int(value) for value in values], rng.choice((pa.int64(), pa.float64())))
    texts = [None if value is None else cell_text(rng, log, column, value) for value in values]
    array = pa.array(texts, rng.choice((pa.string(), pa.string(), pa.large_string())))
    return array.dictionary_encode() if rng.random() < 0.2 else array


def _empty_column(rng: random.Random, kind: str, length: int) -> pa.Array:
    """Nulls of some type; in optional text columns, one row sometimes has a value that is not text."""
    if kind == "string" and length and rng.random() < 0.3:
        at = rng.randrange(length)
        value, data_type = rng.choice(((True, pa.bool_()), ([], pa.list_(pa.string())), ({"a": 1}, None)))
        return pa.array([value if index == at else None for index in range(length)], data_type)
    return pa.nulls(length, rng.choice((pa.string(), pa.null(), pa.float64())))


def _integer_types(values: list[int]) -> list[pa.DataType]:
    types = [pa.int32(), pa.int64(), pa.float64(), pa.decimal128(12, 0)]
    if max(values) < 2**24:
        types.append(pa.float32())
    if min(values) >= 0 and max(values) < 256:
        types.append(pa.uint8())
    return types


def _decimal_column(rng: random.Random, values: list[Decimal | None], places: int) -> pa.Array:
    # A double stands for the same decimal only up to fifteen digits, and is written without exponent from 0.001 on.
    as_double = all(value is None or value == 0 or Decimal("0.001") <= value < 10**9 for value in values)
    if as_double and rng.random() < 0.4:
        short = all(value is None or len(value.normalize().as_tuple().digits) <= 6 for value in values)
        data_type = rng.choice((pa.float64(), pa.float32())) if short else pa.float64()
        return pa.array([None if value is None else float(value) for value in values], data_type)
    # Beyond the places asked for come zeros only.
    return pa.array(values, pa.decimal128(30, places + rng.choice((0, 0, 2))))
