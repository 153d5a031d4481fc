"""Which log-days are missing: due, and without any file, be it in the landing zone or taken before.

A log writes a file a day, an empty one where nothing took place. Its days are expected from its first on, and due some
hours after they have ended in UTC (SENDMART_LOG_GRACE_HOURS). Missing days of the last month are late: somebody can still
do something about them, so people are told. Older ones are history, and only listed.

Not here: who is told, and how (`orchestration.notifications`).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from models.enums import Log

LATE_AFTER = timedelta(days=31)
"""A day that is missing for longer is not waited for any more."""

RANGES_SHOWN = 20

ALL_LOGS = "all logs"

Days = dict[Log, list[date]]


class DatedFile(Protocol):
    """A log file, in the landing zone or noted in the ledger."""

    log: Log
    log_date: date


def last_due_date(moment: datetime, due_hours: int) -> date:
    """The latest log date that should be there by now."""
    return (moment.astimezone(UTC) - timedelta(hours=due_hours)).date() - timedelta(days=1)


def missing_days(files: Iterable[DatedFile], expected: Iterable[Log], until: date) -> Days:
    """By log, the days of which there is no file, from the log's first day to `until`, among the logs expected daily.

    A log that never came is not missed: no log is mandatory.
    """
    there: dict[Log, set[date]] = {}
    for file in files:
        there.setdefault(file.log, set()).add(file.log_date)
    days = {log: [day for day in _days(min(there[log]), until) if day not in there[log]] for log in there}
    return {log: days[log] for log in Log if log in expected and days.get(log)}


def late_days(days: Days, moment: datetime) -> Days:
    """Of missing days, those that are still waited for."""
    since = moment.date() - LATE_AFTER
    return {log: recent for log, of_log in days.items() if (recent := [day for day in of_log if day >= since])}


def describe_days(days: Mapping[Log, Iterable[date]], expected: Iterable[Log]) -> list[str]:
    """Days by log in words; those of which no log came are told once, for all of them."""
    expected = list(expected)
    idle = set.intersection(*(set(days.get(log, ())) for log in expected)) if len(expected) > 1 else set()
    lines = [f"{ALL_LOGS}: {format_ranges(sorted(idle))}"] if idle else []
    for log, of_log in days.items():
        if others := sorted(set(of_log) - idle):
            lines.append(f"{log}: {format_ranges(others)}")
    return lines


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=day) for day in range((last - first).days + 1)]


def format_ranges(days: list[date]) -> str:
    """Days in words, those that follow each other as a range."""
    ranges: list[tuple[date, date]] = []
    for day in days:
        if ranges and day - ranges[-1][1] == timedelta(days=1):
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    shown = [str(first) if first == last else f"{first} to {last}" for first, last in ranges[-RANGES_SHOWN:]]
    return ", ".join(["…"] * (len(ranges) > RANGES_SHOWN) + shown)
