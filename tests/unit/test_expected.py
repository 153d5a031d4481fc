"""Which log dates are expected and not there."""

from datetime import UTC, date, datetime

import pytest

from models.vocabulary import Log
from warehouse.expected import in_ranges, missing_dates
from warehouse.ledger import LoadedFile


def file(log: Log, day: int, part: int = 0) -> LoadedFile:
    taken_at = datetime(2026, 2, 1, tzinfo=UTC)
    name = f"2026-01-{day:02}.{part}.csv"
    return LoadedFile(log, name, date(2026, 1, day), "sha", None, 1, 1, 0, None, None, (), taken_at)


def test_days_are_expected_from_the_first_of_each_log_on() -> None:
    files = [file(Log.SENDS, 5), file(Log.SENDS, 8), file(Log.SENDS, 8, 1), file(Log.CLICKS, 7)]
    assert missing_dates(files, until=date(2026, 1, 9)) == {
        Log.SENDS: [date(2026, 1, 6), date(2026, 1, 7), date(2026, 1, 9)],
        Log.CLICKS: [date(2026, 1, 8), date(2026, 1, 9)],
    }


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ([], ""),
        ([5], "2026-01-05"),
        ([5, 6, 7, 9, 11, 12], "2026-01-05 to 2026-01-07, 2026-01-09, 2026-01-11 to 2026-01-12"),
    ],
)
def test_days_in_words(days: list[int], words: str) -> None:
    assert in_ranges([date(2026, 1, day) for day in days]) == words


def test_many_ranges_are_counted() -> None:
    days = [date(2026, month, day) for month in (1, 2) for day in range(1, 28, 2)]
    assert in_ranges(days).endswith(", 2026-02-11, and 8 more")
