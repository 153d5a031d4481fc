"""Completeness of the landing zone: log days that are due and have no file, neither in the zone nor in the ledger.

A log delivers a file every day, an empty one if nothing happened. Its days are expected from its first file on, and due
SENDMART_LOG_GRACE_HOURS after they end in UTC. Missing days of the last month are late: they raise an alert.

Not here: the alerts (`orchestration.notifications`).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from models.enums import Log

LATE_AFTER = timedelta(days=31)
"""A day that is missing for longer is no longer reported as late."""

RANGES_SHOWN = 20

ALL_LOGS = "all logs"

Days = dict[Log, list[date]]


class DatedFile(Protocol):
    """A log file in the landing zone or in the ledger."""

    @property
    def log(self) -> Log: ...

    @property
    def log_date(self) -> date: ...


def last_due_date(moment: datetime, grace_hours: int) -> date:
    """The latest log date whose files are due at a moment."""
    return (moment.astimezone(UTC) - timedelta(hours=grace_hours)).date() - timedelta(days=1)


def missing_days(files: Iterable[DatedFile], expected: Iterable[Log], until: date) -> Days:
    """By log, the days without a file, from the log's first day to `until`, for the logs that are expected daily.

    A log without any file misses no day: no log is mandatory.
    """
    present: dict[Log, set[date]] = {}
    for file in files:
        present.setdefault(file.log, set()).add(file.log_date)
    missing = {}
    for log in Log:
        if log in expected and log in present:
            days = [day for day in _days(min(present[log]), until) if day not in present[log]]
            if days:
                missing[log] = days
    return missing


def late_days(days: Days, moment: datetime) -> Days:
    """The missing days that are recent enough to be late."""
    since = moment.date() - LATE_AFTER
    recent = {log: [day for day in dates if day >= since] for log, dates in days.items()}
    return {log: dates for log, dates in recent.items() if dates}


def describe_days(days: Mapping[Log, Iterable[date]], expected: Iterable[Log]) -> list[str]:
    """Days by log as lines of text; days that every expected log misses stand in one line for all logs."""
    expected = list(expected)
    shared = set.intersection(*(set(days.get(log, ())) for log in expected)) if len(expected) > 1 else set()
    lines = [f"{ALL_LOGS}: {format_ranges(sorted(shared))}"] if shared else []
    for log, dates in days.items():
        if days_of_log := sorted(set(dates) - shared):
            lines.append(f"{log}: {format_ranges(days_of_log)}")
    return lines


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=day) for day in range((last - first).days + 1)]


def format_ranges(days: list[date]) -> str:
    """Sorted days as text, consecutive ones as a range; of many ranges, the latest."""
    ranges: list[tuple[date, date]] = []
    for day in days:
        if ranges and day - ranges[-1][1] == timedelta(days=1):
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    texts = [str(first) if first == last else f"{first} to {last}" for first, last in ranges[-RANGES_SHOWN:]]
    if len(ranges) > RANGES_SHOWN:
        texts.insert(0, "…")
    return ", ".join(texts)
