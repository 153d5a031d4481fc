"""Parquet files: each value by its canonical text, so that the same rules hold for it as for a CSV field.

Canonical text is what a careful person would write: integers and decimals in digits, floating-point numbers in
their shortest form without exponent (2.0 is `2`), timestamps in ISO 8601 (UTC with `Z` where the column has a zone), dates as
YYYY-MM-DD. A boolean, a list or a structure is a fault of the row.

Not here: what the values must be (`models.logs`).
"""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from warehouse.readers.records import Fault, Layout, ReconciliationError, Records, RefusedFile

ROWS_PER_BATCH = 100_000


def read(path: Path, layout: Layout) -> Iterator[Records]:
    """The records of a Parquet file.

    Raises:
        RefusedFile: not a whole Parquet file, a column twice, a required column missing.
        ReconciliationError: fewer or more rows came out than the file's footer says.
    """
    row_count, read_rows = 0, 0
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            unknown = frozenset(layout.check(names))
            row_count = file.metadata.num_rows
            for batch in file.iter_batches(batch_size=ROWS_PER_BATCH):
                yield _records_of(batch, layout, unknown, first_row=read_rows + 1)
                read_rows += batch.num_rows
    except (pa.ArrowInvalid, OSError, pa.ArrowNotImplementedError) as error:
        raise RefusedFile(f"not a whole Parquet file: {str(error).splitlines()[0][:200]}") from error
    if read_rows != row_count:
        raise ReconciliationError(f"{row_count} rows in the Parquet footer, {read_rows} read")


def _records_of(batch: pa.RecordBatch, layout: Layout, unknown: frozenset[str], first_row: int) -> Records:
    columns: dict[str, pl.Series] = {}
    faults: list[Fault] = []
    for name in layout.columns:
        if name not in batch.schema.names:
            columns[name] = pl.Series([None] * batch.num_rows, dtype=pl.String)
            continue
        values = batch.column(name)
        text, bad = canonical_text(values)
        columns[name] = text
        faults += [Fault(index, name, rule) for index, rule in bad]
    return Records(
        text=pl.DataFrame(columns),
        row_numbers=pl.int_range(first_row, first_row + batch.num_rows, dtype=pl.Int64, eager=True),
        raw=lambda indices: _as_json(batch, indices),
        count=batch.num_rows,
        faults=faults,
        unknown_columns=unknown,
    )


def canonical_text(values: pa.Array) -> tuple[pl.Series, list[tuple[int, str]]]:
    """Values as text, null where there is none; and the places of values that have none, with the rule they break."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return canonical_text(values.dictionary_decode())
    if pa.types.is_null(kind):
        return pl.Series([None] * len(values), dtype=pl.String), []
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _checked_strings(values.cast(pa.large_binary()))
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return _checked_strings(values.cast(pa.large_binary()))
    if pa.types.is_integer(kind) or pa.types.is_date(kind):
        return _series(pc.cast(values, pa.date32() if pa.types.is_date(kind) else kind).cast(pa.string())), []
    if pa.types.is_floating(kind):
        return _float_text(values), []
    if pa.types.is_decimal(kind):
        return _decimal_text(_series(values.cast(pa.string()))), []
    if pa.types.is_timestamp(kind):
        return _timestamp_text(values, kind), []
    found = "a boolean" if pa.types.is_boolean(kind) else kind
    rule = f"must be text or a number, not {found}"
    present = np.flatnonzero(np.asarray(pc.is_valid(values)))
    return pl.Series([None] * len(values), dtype=pl.String), [(int(index), rule) for index in present]


def _series(text: pa.Array) -> pl.Series:
    return pl.Series(text, dtype=pl.String)


def _checked_strings(values: pa.Array) -> tuple[pl.Series, list[tuple[int, str]]]:
    """Strings, where Parquet does not promise that they are UTF-8."""
    try:
        text = values.cast(pa.large_string())
        text.validate(full=True)
        return _series(text), []
    except pa.ArrowInvalid:
        out: list[str | None] = []
        bad = []
        for index, value in enumerate(values.to_pylist()):
            try:
                out.append(None if value is None else value.decode("utf-8"))
            except UnicodeDecodeError:
                out.append(None)
                bad.append((index, "is not valid UTF-8"))
        return pl.Series(out, dtype=pl.String), bad


def _float_text(values: pa.Array) -> pl.Series:
    distinct = pl.Series(values).unique()
    spelled = pl.Series(
        [None if value is None else _spelled(value, values.type) for value in distinct.to_list()], dtype=pl.String
    )
    return pl.Series(values).replace_strict(distinct, spelled, return_dtype=pl.String)


def _spelled(value: float, kind: pa.DataType) -> str:
    number = {16: np.float16, 32: np.float32, 64: np.float64}[kind.bit_width](value)
    if not np.isfinite(number):
        return str(number)
    return np.format_float_positional(number, trim="-")


def _decimal_text(text: pl.Series) -> pl.Series:
    """With the digits that its type has; exponents, which Arrow uses for some scales, written out."""
    if not text.str.contains("E", literal=True).any():
        return text
    return pl.Series([None if value is None else f"{Decimal(value):f}" for value in text], dtype=pl.String)


def _timestamp_text(values: pa.Array, kind: pa.TimestampType) -> pl.Series:
    """ISO 8601 with as many digits of a second as there are: nanoseconds are kept, for the rule to refuse them."""
    moment = pl.Series(values)
    if kind.tz:
        moment = moment.dt.convert_time_zone("UTC")
    text = moment.dt.strftime("%Y-%m-%dT%H:%M:%S%.9f").str.replace(r"(\.[0-9]*?)0+$", "${1}").str.replace(r"\.$", "")
    return text + "Z" if kind.tz else text


def _as_json(batch: pa.RecordBatch, indices: Sequence[int]) -> list[str]:
    rows = batch.take(pa.array(list(indices), pa.int64())).to_pylist()
    return [json.dumps(row, ensure_ascii=False, default=_json_value) for row in rows]


def _json_value(value: object) -> str:
    return value.decode("utf-8", errors="backslashreplace") if isinstance(value, bytes) else str(value)
