"""Rejected Parquet records as a file that is read again: a value that its type alone made unreadable stays unreadable.

In JSON lines such a value stands in brackets, which no column takes. In the Parquet file of a source, numbers keep their type.

Not here: which rows are exported, and where to (`warehouse.quarantine.export`).
"""

import json
import re
from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from models.rejections import HAS_NUL, NOT_UTF8

_BY_TYPE = re.compile(
    r"(?s)(.*?): must be (?:text or a number, not |a number, not |text or an integer: as a |a time of whole )"
)
_NUMBER_FAULT = re.compile(r"(?s)field (.*): must be (?:a number, not |text or an integer: as a (\w+) )")
_TEXT_FAULTS = tuple(reason.partition(": ")[2] for reason in (NOT_UTF8, HAS_NUL))
_FLOAT_TYPES = {"halffloat": pa.float16(), "float": pa.float32(), "double": pa.float64()}
_ESCAPED_BYTE = re.compile(rb"\\x([89a-f][0-9a-f])")


def with_brackets(raw_row: str, reasons: Iterable[str]) -> str:
    """A row as JSON, with brackets around the values that Parquet alone can reject: in JSON, a rounded id looks exact."""
    columns = [match[1] for reason in reasons if (match := _BY_TYPE.match(reason))]
    if not columns:
        return raw_row
    record = json.loads(raw_row)
    return json.dumps(
        {name: [value] if name in columns else value for name, value in record.items()}, ensure_ascii=False
    )


def raw_records_table(rows: Iterable[tuple[str, list[str]]]) -> pa.Table:
    """Raw records of a source, as JSON and with the reasons of their rejection, as columns of text.

    A column with a number that was unreadable has floating-point numbers. Records with other values that cannot be written as
    they came are left out.
    """
    records: list[dict[str, object]] = []
    float_types: dict[str, pa.DataType] = {}
    not_utf8: set[tuple[int, str]] = set()
    for raw_row, reasons in rows:
        faults = [reason for reason in reasons if reason.startswith("field ")]
        numbers = [match for reason in faults if (match := _NUMBER_FAULT.match(reason))]
        of_text = [reason for reason in faults if reason.endswith(_TEXT_FAULTS)]
        if len(numbers) + len(of_text) < len(faults):
            continue
        for match in numbers:
            float_types[match[1]] = _FLOAT_TYPES.get(match[2] or "", float_types.get(match[1], pa.float64()))
        not_utf8 |= {(len(records), reason.removeprefix("field ").rpartition(": ")[0]) for reason in of_text}
        records.append(json.loads(raw_row))
    columns = {}
    for name in dict.fromkeys(name for record in records for name in record):
        values = [record.get(name) for record in records]
        if name in float_types:
            numbers_of_column = [None if value is None else float(str(value)) for value in values]
            columns[name] = pa.array(numbers_of_column, pa.float64()).cast(float_types[name], safe=False)
            continue
        cells = [_cell(value, is_escaped=(row, name) in not_utf8) for row, value in enumerate(values)]
        is_binary = any((row, name) in not_utf8 for row in range(len(records)))
        columns[name] = pa.array(cells, pa.binary()) if is_binary else pa.array(cells, pa.binary()).cast(pa.string())
    return pa.table(columns)


def _cell(value: object, *, is_escaped: bool) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, float):
        return np.format_float_positional(value, trim="-").encode()
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return (
        _ESCAPED_BYTE.sub(lambda match: bytes.fromhex(match[1].decode()), text.encode())
        if is_escaped
        else text.encode()
    )
