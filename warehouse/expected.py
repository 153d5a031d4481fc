"""Which log dates are expected and not there: every day from a log's first on.

Not here: when a day that has not come is late (`orchestration.defs.freshness`).
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from models.vocabulary import Log
from warehouse.ledger import LoadedFile

RANGES_TOLD = 20


def missing_dates(files: Iterable[LoadedFile], until: date) -> dict[Log, list[date]]:
    """By log, its days without a file, from its first day until the one given; a log without any file is not named."""
    there: dict[Log, set[date]] = {}
    for file in files:
        there.setdefault(file.log, set()).add(file.log_date)
    return {log: [day for day in _days(min(there[log]), until) if day not in there[log]] for log in Log if log in there}


def in_ranges(days: Sequence[date]) -> str:
    """Days in words, those that follow each other as a range."""
    ranges: list[tuple[date, date]] = []
    for day in days:
        if ranges and day - ranges[-1][1] == timedelta(days=1):
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    told = [str(first) if first == last else f"{first} to {last}" for first, last in ranges[:RANGES_TOLD]]
    if len(ranges) > RANGES_TOLD:
        told.append(f"and {len(ranges) - RANGES_TOLD} more")
    return ", ".join(told)


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=day) for day in range((last - first).days + 1))
