"""How values are written for people: counts, money, rates, moments, sizes, masked numbers. Templates use these as filters.

Not here: how a CSV writes them (`warehouse.export.exports`).
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from models.marts import MartColumn

NOTHING = "\N{EN DASH}"


def count(value: int | None) -> str:
    return NOTHING if value is None else f"{value:,}"


def money(value: Decimal | None) -> str:
    return NOTHING if value is None else f"{value:,.2f}"


def rate(value: float | None) -> str:
    """To a tenth of a per cent; little is not taken for nothing, nor nearly all for all."""
    if value is None:
        return NOTHING
    if 0 < value < 0.0005:
        return "<0.1\N{NO-BREAK SPACE}%"
    if 0.9995 <= value < 1:
        return ">99.9\N{NO-BREAK SPACE}%"
    return f"{value:.1%}".replace("%", "\N{NO-BREAK SPACE}%")


def size(value: int) -> str:
    """Of a file."""
    for unit in ("bytes", "kB", "MB"):
        if value < 1000:
            return f"{value:,.0f} {unit}" if unit == "bytes" else f"{value:,.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} GB"


def moment(value: datetime | None, zone: ZoneInfo) -> str:
    """A moment in the zone of the reports, to the minute. Marts hold UTC without saying so."""
    if value is None:
        return NOTHING
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(zone).strftime("%Y-%m-%d %H:%M")


def cell(value: Any, column: MartColumn, zone: ZoneInfo) -> str:
    """A value as its column is written."""
    if value is None:
        return NOTHING
    if column.sql_type == "timestamp":
        return moment(value, zone)
    if column.sql_type.startswith("decimal"):
        return money(value)
    if column.sql_type == "double":
        return rate(value)
    return count(value) if column.sql_type == "bigint" else str(value)


_IN_FULL = {"hour": "%Y-%m-%d %H:00", "day": "%Y-%m-%d", "month": "%Y-%m"}
_ON_AN_AXIS = {"hour": "{0.day} {0:%b} {0:%H:00}", "day": "{0.day} {0:%b}", "month": "{0:%b %Y}"}


def plain(value: datetime, by: str) -> str:
    """An hour, day or month of the reports' zone, in full."""
    return value.strftime(_IN_FULL[by])


def short(value: datetime, by: str) -> str:
    """The same, as an axis has room for it."""
    return _ON_AN_AXIS[by].format(value)
