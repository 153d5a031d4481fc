"""Comparison of two versions of a mart: reading expected marts, normalising values, describing differences.

Not here: the expected content of a mart (`marts`).
"""

import csv
import math
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from tests.oracle.admission import Rejected

NULL = "\\N"

QUARANTINE_TABLES = {"rejected_rows", "key_conflicts"}
"""The tables of the published quarantine beside the expected marts of a case."""

MONEY = {
    *("revenue", "assisted_revenue", "total", "refunded_amount", "profit", "revenue_over_last", "revenue_after"),
    *("cost", "cost_of_delivered", "cost_of_failed", "cost_of_pending", "cost_after"),
}
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
    *("messages_costed", "messages_cost_unconverted", "messages_without_cost", "contacts", "delivered", "segments"),
    *("without_receipt", "timed", "clock_skewed", "within_10_s", "within_60_s", "within_1_h", "days", "failed"),
    *("campaigns", "clicks", "bot_clicks", "bot_clicks_user_agent", "bot_clicks_too_fast", "bot_clicks_sweep"),
    *("human_clicks", "human_unique_clickers", "direct_orders_from_bots", "from_minutes", "first_clicks", "touches"),
    *("orders", "messages_before", "clicking", "window_hours", "hard_bounces", "numbers", "messages_after"),
    *("delivered_after", "segments_after", "direct_orders_after", "age_days", "known", "final"),
}
DOUBLES = {
    *("cost_coverage", "roi", "average_order_value", "share_of_failures", "receipt_ratio", "final_ratio"),
    *("expected_failed", "excess_failed", "baseline_rate", "failure_rate", "delivery_rate", "peak_score", "share"),
    *("human_click_to_delivered_rate", "share_of_clicks", "cumulative_click_share", "weight", "credited_orders"),
    *("click_rate", "unsubscribe_rate", "unsubscribe_low", "unsubscribe_high", "conversion_rate_by_clickers"),
    *("conversion_rate_by_delivered", "conversion_rate_by_sent"),
}
"""Compared within a tolerance, like all columns with `_per_` in their names: sums of doubles depend on their order."""
ABSOLUTE_TOLERANCES = {"weight": 1e-11, "credited_orders": 1e-9}
RELATIVE_TOLERANCE = 1e-9


def normalized(column: str, value: object) -> object:
    """A value in a normal form for comparison, whether it was text, float, Decimal or another type."""
    if value is None:
        return None
    if column.endswith("_at"):
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    if column.endswith(("_date", "_day")) or column == "day":
        return value.date().isoformat() if isinstance(value, datetime) else _date_text(value)
    if column in MONEY:
        return Decimal(str(value))
    if column in RATES or _is_double(column):
        return float(value)
    if column.startswith("is_"):
        return str(value).lower()
    if column in COUNTS or column.endswith("_ms"):
        number = Decimal(str(value))
        return int(number) if number == int(number) else number
    return str(value)


def _is_double(column: str) -> bool:
    return column in DOUBLES or "_per_" in column


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
    _match_near_rows(missing, unexpected, columns)
    messages = _described("missing", missing, columns, most) + _described("unexpected", unexpected, columns, most)
    if messages:
        messages.insert(0, f"{expected_rows.total()} rows expected, {actual_rows.total()} found")
    return messages


def _normalized_row(row: dict, columns: list[str]) -> tuple:
    return tuple(normalized(column, row[column]) for column in columns)


def _match_near_rows(missing: Counter, unexpected: Counter, columns: list[str]) -> None:
    """Removes the rows of both that differ within the tolerances only."""
    doubles = [place for place, column in enumerate(columns) if _is_double(column)]
    if not doubles:
        return

    def exact_part(row: tuple) -> tuple:
        return tuple(value is None if place in doubles else value for place, value in enumerate(row))

    by_exact_part: dict[tuple, list[tuple]] = {}
    for row in unexpected.elements():
        by_exact_part.setdefault(exact_part(row), []).append(row)
    for row in list(missing.elements()):
        candidates = by_exact_part.get(exact_part(row), [])
        near = [
            other
            for other in candidates
            if all(_is_near(columns[place], row[place], other[place]) for place in doubles)
        ]
        if near:
            candidates.remove(near[0])
            missing -= Counter([row])
            unexpected -= Counter([near[0]])


def _is_near(column: str, expected: float | None, actual: float | None) -> bool:
    if expected is None or actual is None:
        return expected is actual
    if column in ABSOLUTE_TOLERANCES:
        return abs(expected - actual) <= ABSOLUTE_TOLERANCES[column]
    return math.isclose(expected, actual, rel_tol=RELATIVE_TOLERANCE, abs_tol=0)


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
