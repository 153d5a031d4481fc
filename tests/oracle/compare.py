"""Comparison of two versions of a mart: reading expected marts, normalising values, describing differences.

Not here: the expected content of a mart (`marts`).
"""

import csv
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from tests.oracle.admission import Rejected

NULL = "\\N"

QUARANTINE_TABLES = {"rejected_rows", "key_conflicts"}
"""The tables of the published quarantine beside the expected marts of a case."""

MONEY = {"revenue", "assisted_revenue", "total", "refunded_amount"}
RATES = {"click_to_delivered_rate", "conversion_rate"}
COUNTS = {
    "direct_orders",
    "assisted_orders",
    "total_segments",
    "total_clicks",
    "total_delivered",
    "total_sent",
    "unique_clickers",
    "unsubscribes",
    "unique_sends",
    "unique_deliveries",
    "pending",
    "soft_bounces",
    "hard_bounces",
    "deleted",
    "messages_sent",
    "max_segments",
    "receipts",
    "messages",
    "events",
    "row_number",
    "rows",
    "values",
}


def normalized(column: str, value: object) -> object:
    """A value in a normal form for comparison, whether it was text, float, Decimal or another type."""
    if value is None:
        return None
    if column.endswith("_at"):
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    if column.endswith("_date"):
        return value.date().isoformat() if isinstance(value, datetime) else _date_text(value)
    if column in MONEY:
        return Decimal(str(value))
    if column in RATES:
        return float(value)
    if column in COUNTS:
        number = Decimal(str(value))
        return int(number) if number == int(number) else number
    return str(value)


def _date_text(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def read_mart(path: Path) -> list[dict]:
    """The rows of an expected mart, as text, `\\N` as None."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            {column: None if text == NULL else text for column, text in line.items()} for line in csv.DictReader(file)
        ]


def differences(
    expected: list[dict], actual: Iterable[dict], columns: Iterable[str] | None = None, most: int = 20
) -> list[str]:
    """The differences between `actual` and the expected rows, regardless of order.

    `columns` are compared; by default, those of the expected rows. The actual rows may have others. At most `most` rows of a
    kind are listed.
    """
    actual = list(actual)
    columns = list(columns) if columns is not None else list(expected[0]) if expected else None
    if columns is None:
        return [f"unexpected: {row}" for row in actual[:most]] + _rest(len(actual), most)
    missing_columns = sorted({column for row in actual for column in columns if column not in row})
    if missing_columns:
        return [f"no such column: {column}" for column in missing_columns]
    expected_rows = Counter(_normalized_row(row, columns) for row in expected)
    actual_rows = Counter(_normalized_row(row, columns) for row in actual)
    missing, unexpected = expected_rows - actual_rows, actual_rows - expected_rows
    messages = _described("missing", missing, columns, most) + _described("unexpected", unexpected, columns, most)
    if messages:
        messages.insert(0, f"{expected_rows.total()} rows expected, {actual_rows.total()} found")
    return messages


def _normalized_row(row: dict, columns: list[str]) -> tuple:
    return tuple(normalized(column, row[column]) for column in columns)


def _described(kind: str, rows: Counter, columns: list[str], most: int) -> list[str]:
    lines = []
    for values, times in sorted(rows.items(), key=lambda item: [str(value) for value in item[0]]):
        values_text = ", ".join(f"{column}={_shown(value)}" for column, value in zip(columns, values, strict=True))
        lines.append(f"{kind}{f' {times} times' if times > 1 else ''}: {values_text}")
    return lines[:most] + [f"{kind}: {line}" for line in _rest(len(lines), most)]


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return repr(value) if isinstance(value, str | None) else str(value)


def _rest(count: int, most: int) -> list[str]:
    return [f"and {count - most} more"] if count > most else []


REJECTED_KEY = ("log", "log_date", "source_file", "row_number")


def rejected_rows(rejected: Iterable[Rejected]) -> list[dict]:
    """Rejected rows in the format of an expected `rejected_rows.csv`."""
    return [
        {column: getattr(row, column) for column in REJECTED_KEY} | {"reason_columns": " ".join(sorted(row.columns))}
        for row in rejected
    ]


def rejected_differences(expected: list[dict], actual: Iterable[dict]) -> list[str]:
    """Compares rejected rows; the actual `reason_columns` may name further columns."""
    actual = list(actual)
    messages = differences(expected, actual, REJECTED_KEY)
    reasons = {_normalized_row(row, list(REJECTED_KEY)): set((row["reason_columns"] or "").split()) for row in actual}
    for row in expected:
        key = _normalized_row(row, list(REJECTED_KEY))
        missing_reasons = set((row["reason_columns"] or "").split()) - reasons.get(key, set())
        if key in reasons and missing_reasons:
            location = f"{row['log']}/{row['source_file']}, row {row['row_number']}"
            messages.append(f"no reason of {location} names {', '.join(sorted(missing_reasons))}")
    return messages
