"""Parquet files: each value becomes its canonical text, so that the same rules apply as to a CSV field.

That is the digits of integers and decimals, the shortest form of floating-point numbers without exponent (2.0 is `2`), ISO 8601
for dates and timestamps, with `Z` if the column has a time zone. A boolean, list, struct, infinite number or time finer than
a microsecond in a known column rejects the row, and so does a floating-point id that may have been rounded.

Not here: the rules for values (`models.logs`).
"""

import json
import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.rejections import TOO_LONG, UnreadableValue
from warehouse.ingest.readers.content import HEAD_BYTES, type_of_content, type_of_text, wrong_type
from warehouse.ingest.readers.records import (
    MAX_RAW_BYTES,
    MAX_RECORD_BYTES,
    Layout,
    Records,
    RefusedFile,
    as_text,
    is_utf8,
)
from warehouse.storage import open_regular

ROWS_PER_BATCH = 100_000
BYTES_PER_BATCH = 64 << 20
"""Of decoded values. A dictionary repeats a value at no cost in the file."""
MAX_BATCH_BYTES = 4 << 30
"""Of decoded values in `ROWS_PER_BATCH` rows; a file that asks for more is refused."""
MAX_NESTED_VALUES = 1_000_000
"""Values in the lists of a row group. A list in a known column rejects its row, but is decoded to be shown."""


def read(path: Path, layout: Layout) -> Iterator[Records]:
    """The records of a file; RefusedFile if it is damaged, or its columns or number of rows are not what they should be."""
    row_count, read_rows = 0, 0
    try:
        with open_regular(path) as source:
            head = source.read(HEAD_BYTES)
        found = type_of_content(head)
        if found not in ("Parquet", ""):
            raise RefusedFile(f"{found}, not Parquet as its name says; Parquet must not be compressed again")
        if not found and not head.startswith(b"PAR1") and (found := type_of_text(head)):
            raise wrong_type(found, "Parquet")
        with open_regular(path) as source, pq.ParquetFile(source) as file:
            metadata, schema = file.metadata, file.schema_arrow
            unknown = frozenset(layout.check(schema.names))
            row_count = metadata.num_rows
            known = [name for name in layout.columns_with(schema.names) if name in schema.names]
            _check_nested(path, schema, known)
            with_dictionary = [name for name in known if _holds_bytes(schema.field(name).type)]
            source.seek(0)
            reopened = pq.ParquetFile(source, metadata=metadata, read_dictionary=with_dictionary)
            for batch in reopened.iter_batches(_batch_rows(metadata), columns=known):
                for part, size in _parts(batch):
                    yield _records_of(part, layout, unknown, first_row=read_rows + 1, size=size)
                    read_rows += part.num_rows
    except (pa.ArrowInvalid, OSError, pa.ArrowNotImplementedError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # an error of the system, not of the content
        raise RefusedFile(f"not a complete Parquet file: {str(error).splitlines()[0][:200].rstrip('.')}") from error
    if read_rows != row_count:
        raise RefusedFile(f"not a complete Parquet file: its footer says {row_count} rows, it has {read_rows}")


def _check_nested(path: Path, schema: pa.Schema, names: Sequence[str]) -> None:
    nested = [name for name in names if pa.types.is_nested(schema.field(name).type)]
    if not nested:
        return
    # By DuckDB: Arrow ends the process when it reads the metadata of a column in a damaged footer.
    query = (
        "select split_part(path_in_schema, ', ', 1) as name, max(num_values) as most from parquet_metadata($file)"
        " where name in $names group by name having most > $limit"
    )
    too_long = duckdb.execute(query, {"file": str(path), "names": nested, "limit": MAX_NESTED_VALUES}).fetchall()
    for name, count in too_long:
        raise RefusedFile(
            f"column {name} must be text or a number, not {schema.field(name).type} with {count:,} values"
        )


def _batch_rows(metadata: pq.FileMetaData) -> int:
    """The number of rows that take `BYTES_PER_BATCH` without the compression of the file."""
    size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    width = max(1, size // max(1, metadata.num_rows))
    return int(max(1, min(ROWS_PER_BATCH, BYTES_PER_BATCH // width)))


def _parts(batch: pa.RecordBatch) -> Iterator[tuple[pa.RecordBatch, int]]:
    """A batch in parts of about `BYTES_PER_BATCH` of text that dictionaries stand for, each with this number of bytes.

    A value that is longer than a record is not decoded, but its beginning is shown in the quarantine.
    """
    sizes = np.zeros(batch.num_rows, np.int64)
    for values in batch.columns:
        if pa.types.is_dictionary(values.type):
            lengths = _byte_lengths(values.dictionary)
            lengths[lengths > MAX_RECORD_BYTES] = MAX_RAW_BYTES
            sizes += np.where(values.is_valid(), np.append(lengths, 0)[values.indices.fill_null(0)], 0)
    total = int(sizes.sum())
    if total > MAX_BATCH_BYTES:
        raise RefusedFile(f"{batch.num_rows:,} rows repeat long values: they take {total:,} bytes")
    starts = np.flatnonzero(np.diff(np.cumsum(sizes) // BYTES_PER_BATCH, prepend=-1)).tolist() or [0]
    for start, end in pairwise([*starts, batch.num_rows]):
        yield batch.slice(start, end - start), int(sizes[start:end].sum())


def _byte_lengths(strings: pa.Array) -> np.ndarray[Any, np.dtype[np.int64]]:
    lengths = pc.fill_null(pc.binary_length(strings.cast(pa.large_binary())), 0)
    return np.array(lengths.cast(pa.int64()))


def _dictionary_text(values: pa.DictionaryArray) -> tuple[pl.Series, list[tuple[int, str]]]:
    """The same for a dictionary of strings: each is checked once, and those that are longer than a record are not decoded."""
    is_long = _byte_lengths(values.dictionary) > MAX_RECORD_BYTES
    short = pc.if_else(pa.array(~is_long), values.dictionary, pa.scalar(None, values.dictionary.type))
    text, bad = canonical_text(short)
    rules = dict(bad) | dict.fromkeys(np.flatnonzero(is_long).tolist(), TOO_LONG)
    indices = pl.Series(values.indices)
    rows = indices.is_in(list(rules)).fill_null(value=False).arg_true().to_list() if rules else []
    return text.gather(indices), [(row, rules[indices[row]]) for row in rows]


def _records_of(batch: pa.RecordBatch, layout: Layout, unknown: frozenset[str], first_row: int, size: int) -> Records:
    columns: dict[str, pl.Series] = {}
    faults: list[UnreadableValue] = []
    for name in layout.columns_with(batch.schema.names):
        if name not in batch.schema.names:
            columns[name] = pl.Series([None] * batch.num_rows, dtype=pl.String)
            continue
        if layout.nested_as_json and _is_nested_or_boolean(batch.schema.field(name).type):
            values = _json_values(batch.column(name), pa.array(range(batch.num_rows), pa.int64()))
            texts = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
            columns[name] = pl.Series(texts, dtype=pl.String)
            continue
        columns[name], bad = canonical_text(batch.column(name))
        if name in layout.ids:
            bad += _rounded_ids(batch.column(name))
        faults += [UnreadableValue(index, name, rule) for index, rule in bad]
    return Records(
        text=pl.DataFrame(columns),
        row_numbers=pl.int_range(first_row, first_row + batch.num_rows, dtype=pl.Int64, eager=True),
        raw=lambda indices: _as_json(batch, indices),
        count=batch.num_rows,
        size=size + batch.nbytes,
        faults=faults,
        unknown_columns=unknown,
        present=frozenset(columns).intersection(batch.schema.names) if layout.nested_as_json else frozenset(),
    )


def canonical_text(values: pa.Array) -> tuple[pl.Series, list[tuple[int, str]]]:
    """Values as text, null for null and for values without text; and the indices of the latter, with the rule they break."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _dictionary_text(values) if _holds_bytes(kind.value_type) else canonical_text(values.dictionary_decode())
    if isinstance(kind, pa.UuidType):
        return _uuid_text(values.storage), []
    if pa.types.is_null(kind):
        return pl.Series([None] * len(values), dtype=pl.String), []
    if _holds_bytes(kind):
        return _checked_strings(values.cast(pa.large_binary()))
    if pa.types.is_integer(kind):
        return _series(values.cast(pa.string())), []
    if pa.types.is_date(kind):
        return _date_text(values), []
    if pa.types.is_floating(kind):
        return _float_text(values)
    if pa.types.is_decimal(kind):
        return _decimal_text(_series(values.cast(pa.string()))), []
    if pa.types.is_timestamp(kind):
        finer = _finer_than_microseconds(values)
        return _timestamp_text(values).scatter([index for index, _ in finer], None), finer
    type_name = "a boolean" if pa.types.is_boolean(kind) else kind
    rule = f"must be text or a number, not {type_name}"
    present = np.flatnonzero(np.asarray(pc.is_valid(values)))
    return pl.Series([None] * len(values), dtype=pl.String), [(int(index), rule) for index in present]


def _is_nested_or_boolean(kind: pa.DataType) -> bool:
    return bool(pa.types.is_nested(kind) or pa.types.is_boolean(kind))


def _holds_bytes(kind: pa.DataType) -> bool:
    tests = (
        pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
        pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary,
    )  # fmt: skip
    return any(test(kind) for test in tests)


def _series(text: pa.Array) -> pl.Series:
    return pl.Series(text, dtype=pl.String)


def _checked_strings(values: pa.Array) -> tuple[pl.Series, list[tuple[int, str]]]:
    """Strings that are valid UTF-8 without NULs, which Parquet does not guarantee."""
    try:
        text = values.cast(pa.large_string())
        text.validate(full=True)
        strings = _series(text)
        if not strings.str.contains("\0", literal=True).any():
            return strings, []
    except pa.ArrowInvalid:
        pass
    checked: list[str | None] = []
    bad = []
    for index, value in enumerate(values.to_pylist()):
        rule = ""
        if value is not None and (b"\0" in value or not is_utf8(value)):
            rule = "holds a NUL" if b"\0" in value else "is not valid UTF-8"
            bad.append((index, rule))
        checked.append(None if value is None or rule else value.decode())
    return pl.Series(checked, dtype=pl.String), bad


EXACT_BELOW = 10**15
"""Integral values below this are written with all digits; the shortest form of a narrow type would end in zeros."""


def _float_text(values: pa.Array) -> tuple[pl.Series, list[tuple[int, str]]]:
    numbers = pl.Series(values)
    distinct = numbers.unique()
    texts = pl.Series(
        [None if value is None else _number_text(value, values.type) for value in distinct.to_list()], dtype=pl.String
    )
    text = numbers.replace_strict(distinct, texts, return_dtype=pl.String)
    no_numbers = (~numbers.is_finite()).fill_null(value=False).arg_true()
    return text, [(index, f"must be a number, not {numbers[index]}") for index in no_numbers]


def _rounded_ids(values: pa.Array) -> list[tuple[int, str]]:
    """The indices of floating-point ids so large that several whole numbers have the same value, with the rule they break."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if not pa.types.is_floating(values.type):
        return []
    digits = {16: 11, 32: 24, 64: 53}[values.type.bit_width]
    numbers = pl.Series(values)
    rounded = (numbers.is_finite() & (numbers.abs() >= 2.0**digits)).fill_null(value=False)
    rule = f"must be text or an integer: as a {values.type} an id of 2^{digits} or more may have been rounded"
    return [(index, rule) for index in rounded.arg_true()]


def _uuid_text(storage: pa.Array) -> pl.Series:
    digits = pl.Series(storage.cast(pa.binary())).bin.encode("hex")
    parts = [digits.str.slice(start, length) for start, length in ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))]
    return pl.select(pl.concat_str(parts, separator="-")).to_series()


def _number_text(value: float, kind: pa.DataType) -> str | None:
    number = np.dtype(f"float{kind.bit_width}").type(value)
    if not np.isfinite(number):
        return None
    if value.is_integer() and abs(value) < EXACT_BELOW:
        return str(int(value))
    return np.format_float_positional(number, trim="-")


def _decimal_text(text: pl.Series) -> pl.Series:
    """All digits of the type, without the exponents that Arrow uses for some scales."""
    if not text.str.contains("E", literal=True).any():
        return text
    return pl.Series([None if value is None else f"{Decimal(value):f}" for value in text], dtype=pl.String)


def _date_text(values: pa.Array) -> pl.Series:
    days = pl.Series(values.cast(pa.date32()).view(pa.int32()))
    in_range = days.is_between(_FIRST_DAY, _LAST_DAY)
    return _or_number(days.set(~in_range, None).cast(pl.Date).dt.strftime("%Y-%m-%d"), days, "days")


def _timestamp_text(values: pa.Array) -> pl.Series:
    """ISO 8601 with all digits of the second."""
    zone = "Z" if values.type.tz else ""
    moments = values.cast(pa.timestamp(values.type.unit))  # in UTC
    limits = pc.min_max(moments.view(pa.int64())).as_py()
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[values.type.unit]
    first, last = _FIRST_DAY * 86_400 * per_second, (_LAST_DAY + 1) * 86_400 * per_second - 1
    if limits["min"] is None or first <= limits["min"] <= limits["max"] <= last:
        return _iso_8601(moments) + zone
    since_1970 = pl.Series(values.view(pa.int64()))
    in_range = since_1970.is_between(first, last)
    text = _iso_8601(since_1970.set(~in_range, None).to_arrow().view(moments.type))
    return _or_number(text + zone, since_1970, values.type.unit)


def _iso_8601(moments: pa.Array) -> pl.Series:
    """Timestamps without a zone, of the years 1 to 9999, as text, which Arrow writes several times as fast as strftime."""
    text = _series(moments.cast(pa.large_string())).str.replace(" ", "T", literal=True)
    return text if moments.type.unit == "s" else text.str.strip_chars_end("0").str.strip_chars_end(".")


def _finer_than_microseconds(values: pa.Array) -> list[tuple[int, str]]:
    """The indices of times with nanoseconds, which the lake cannot hold, with the rule they break."""
    if values.type.unit != "ns":
        return []
    finer = (pl.Series(values.view(pa.int64())) % 1000 != 0).fill_null(value=False).arg_true()
    return [(index, "must be a time of whole microseconds: it has nanoseconds") for index in finer]


_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
"""The years 1 to 9999, which ISO 8601 writes with four digits, in days since 1970."""


def _or_number(text: pl.Series, number: pl.Series, unit: str) -> pl.Series:
    """The text of a time; outside these years its number, which the rule for timestamps rejects."""
    return text.zip_with(text.is_not_null() | number.is_null(), number.cast(pl.String) + f" {unit} since 1970")


def _as_json(batch: pa.RecordBatch, indices: Sequence[int]) -> list[str]:
    positions = pa.array(list(indices), pa.int64())
    columns = {name: _json_values(batch.column(name), positions) for name in batch.schema.names}
    return [
        json.dumps({name: values[row] for name, values in columns.items()}, ensure_ascii=False)
        for row in range(len(indices))
    ]


def _json_values(values: pa.Array, positions: pa.Array) -> list[object]:
    """The values of a column at these positions, in types that JSON has."""
    kind = values.type
    if pa.types.is_dictionary(kind) and _holds_bytes(kind.value_type):
        indices = values.indices.take(positions)
        used = indices.drop_null().unique()
        beginnings = pc.binary_slice(values.dictionary.take(used).cast(pa.large_binary()), 0, MAX_RAW_BYTES)
        texts = [None if value is None else as_text(value) for value in beginnings.to_pylist()]
        text_of = dict(zip(used.to_pylist(), texts, strict=True)) | {None: None}
        return [text_of[index] for index in indices.to_pylist()]
    if pa.types.is_dictionary(kind):
        return _json_values(values.dictionary_decode(), positions)
    if _holds_bytes(kind):
        strings = values.cast(pa.large_binary()).take(positions).to_pylist()
        return [None if value is None else as_text(value) for value in strings]
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return list(values.take(positions).to_pylist())
    if pa.types.is_floating(kind):
        return [None if value is None else _json_number(value, kind) for value in values.take(positions).to_pylist()]
    if pa.types.is_timestamp(kind):
        return _timestamp_text(values.take(positions)).to_list()
    text, unreadable = canonical_text(values.take(positions))
    if unreadable:
        return [_nested(value) for value in values.take(positions)]
    return text.to_list()


def _json_number(value: float, kind: pa.DataType) -> object:
    """A number whose literal is the canonical text, but for an exponent; text if it is not finite."""
    if not math.isfinite(value):
        return str(value)
    number = float(_number_text(value, kind) or value)
    return int(number) if number.is_integer() and abs(number) < EXACT_BELOW else number


def _nested(value: pa.Scalar) -> object:
    """A list or struct in types that JSON has, or as text."""
    try:
        return json.loads(json.dumps(value.as_py(), allow_nan=False, default=str))
    except (ValueError, TypeError, OverflowError, pa.ArrowException):
        return f"a value of type {value.type}"
