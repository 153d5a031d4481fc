"""Formats values for the pages: counts, money, rates, times, sizes. Templates use these functions as filters.

Not here: how a CSV formats them (`warehouse.export`).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from models.marts import MartColumn
from models.masking import PROVIDER_COLUMNS, masked_in_words

NOTHING = "\N{EN DASH}"


def count(value: int | None) -> str:
    return NOTHING if value is None else f"{value:,}"


def money(value: Decimal | None) -> str:
    return NOTHING if value is None else f"{value:,.2f}"


def amount(value: Decimal | None) -> str:
    """An amount in the currency of an order, with two decimal places, or four if it has more."""
    text = NOTHING if value is None else f"{value:,.4f}"
    return text.removesuffix("00")


def rate(value: float | None) -> str:
    """A rate in per cent with one decimal. A rate near 0 or 1 is shown as <0.1 or >99.9, not as 0 or 100."""
    if value is None:
        return NOTHING
    if 0 < value < 0.0005:
        return "<0.1\N{NO-BREAK SPACE}%"
    if 0.9995 <= value < 1:
        return ">99.9\N{NO-BREAK SPACE}%"
    return f"{value:.1%}".replace("%", "\N{NO-BREAK SPACE}%")


def per_thousand(value: float | None) -> str:
    """A number per thousand, such as unsubscribes per 1,000 delivered."""
    return NOTHING if value is None else f"{value:,.2f}"


def duration(milliseconds: float | None) -> str:
    """A duration in its largest unit with one decimal: 850 ms, 4.2 s, 3.5 min, 2.0 h, 1.5 days."""
    if milliseconds is None:
        return NOTHING
    space = "\N{NO-BREAK SPACE}"
    for unit, length in (("days", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        if abs(milliseconds) >= length:
            return f"{milliseconds / length:,.1f}{space}{unit}"
    return f"{milliseconds:,.0f}{space}ms"


def figure(value: int | float | Decimal | None, unit: str) -> str:
    """A value by its unit: count, money, amount, rate, per_thousand, ratio, duration (milliseconds)."""
    if value is None:
        return NOTHING
    formatters: dict[str, Callable[[Any], str]] = {
        "count": lambda number: f"{number:,.0f}",
        "money": money,
        "amount": lambda number: f"{number:,.4f}",
        "rate": rate,
        "per_thousand": per_thousand,
        "ratio": lambda number: f"{number:,.2f}",
        "duration": duration,
    }
    return formatters[unit](value)


def size(value: float) -> str:
    """A file size in bytes, kB, MB or GB."""
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return f"{value:,.0f} {unit}" if unit == "bytes" else f"{value:,.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} GB"


def moment(value: datetime | None, zone: ZoneInfo) -> str:
    """A time in the time zone of the reports, to the minute. Times without a zone, as in marts, are UTC."""
    if value is None:
        return NOTHING
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(zone).strftime("%Y-%m-%d %H:%M")


def cell(value: Any, column: MartColumn, zone: ZoneInfo, *, masks: bool) -> str:
    """A value formatted by the type of its column. `masks`: whether the words of providers are shown without phone numbers."""
    if masks and value is not None and column.name in PROVIDER_COLUMNS:
        return masked_in_words(value)
    if value is None or column.sql_type == "timestamp":
        return moment(value, zone)
    formatters: dict[str, Callable[[Any], str]] = {
        "decimal(18,2)": money,
        "decimal(18,4)": amount,
        "double": rate,
        "bigint": count,
    }
    return formatters.get(column.sql_type, str)(value)


_FULL_FORMATS = {"hour": "%Y-%m-%d %H:00", "day": "%Y-%m-%d", "month": "%Y-%m"}
_AXIS_FORMATS = {"hour": "{0.day} {0:%b} {0:%H:00}", "day": "{0.day} {0:%b}", "month": "{0:%b %Y}"}


def plain(value: datetime, by: str) -> str:
    """An hour, day or month in full. `value` is in the time zone of the reports."""
    return value.strftime(_FULL_FORMATS[by])


def short(value: datetime, by: str) -> str:
    """An hour, day or month in the short form of an axis."""
    return _AXIS_FORMATS[by].format(value)


PLAIN_FILTERS = (count, money, amount, rate, per_thousand, duration, figure, size, plain, short)
"""The filters that need no time zone."""
