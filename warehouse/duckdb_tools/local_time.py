"""The local time of UTC timestamps, as an SQL expression with the clock changes of Python's time zone database.

DuckDB has a time zone database of its own, of another age: a page must not show a time by one and count it by the other.

Not here: days of the report's time zone in models (`dbt_project/macros/engine.sql`), reading local times from logs
(`warehouse.ingest.sources.functions`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_FIRST, _LAST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)
"""Clock changes before and after are left out."""

_STEP = timedelta(days=6)
"""Shorter than the time between any two clock changes of a zone: the shortest since 1990 is a week less an hour."""

_SECOND = timedelta(seconds=1)


def local_time_sql(utc: str, zone: ZoneInfo) -> str:
    """The expression of a timestamp in the local time of `zone`; `utc` is an expression of a UTC timestamp."""
    return _local_time(f"({utc})", clock_changes(zone))


@lru_cache
def clock_changes(zone: ZoneInfo) -> tuple[tuple[datetime, timedelta], ...]:
    """The times in UTC from which `zone` has another offset, each with the offset. The first is that of 1990."""
    changes = [(_FIRST, _offset(zone, _FIRST))]
    before = _FIRST
    while before < _LAST:
        after = before + _STEP
        if _offset(zone, after) != changes[-1][1]:
            changes.append(_change_between(zone, before, after))
        before = after
    return tuple(changes)


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _change_between(zone: ZoneInfo, before: datetime, after: datetime) -> tuple[datetime, timedelta]:
    offset = _offset(zone, after)
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        before, after = (before, middle) if _offset(zone, middle) == offset else (middle, after)
    return after, offset


def _local_time(utc: str, changes: Sequence[tuple[datetime, timedelta]]) -> str:
    """A binary search: few comparisons for each row."""
    if len(changes) == 1:
        seconds = int(changes[0][1].total_seconds())
        return f"{utc} + interval ({seconds}) second" if seconds else utc
    middle = len(changes) // 2
    earlier, later = _local_time(utc, changes[:middle]), _local_time(utc, changes[middle:])
    return f"if({utc} < timestamp '{changes[middle][0]:%Y-%m-%d %H:%M:%S}', {earlier}, {later})"
