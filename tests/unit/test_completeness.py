"""Completeness of the landing zone: missing log days, when they are due, and how long they count as late."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from models.enums import Log
from warehouse.landing.completeness import describe_days, last_due_date, late_days, missing_days


@dataclass(frozen=True)
class File:
    log: Log
    log_date: date


def day(number: int) -> date:
    return date(2026, 1, number)


def files(**days: list[int]) -> list[File]:
    return [File(Log(log), day(number)) for log, numbers in days.items() for number in numbers]


@pytest.mark.parametrize(
    ("moment", "due"),
    [
        (datetime(2026, 1, 6, 2, 59, 59, tzinfo=UTC), day(4)),
        (datetime(2026, 1, 6, 3, 0, tzinfo=UTC), day(5)),
        (datetime(2026, 1, 6, 4, 0, tzinfo=timezone(timedelta(hours=2))), day(4)),
    ],
)
def test_a_day_is_due_some_hours_after_its_end_in_utc(moment: datetime, due: date) -> None:
    assert last_due_date(moment, 3) == due


def test_missing_days_lie_between_the_first_file_and_the_last_due_date() -> None:
    days = missing_days(files(sends=[3, 5], orders=[4, 5, 6], clicks=[5], receipts=[9]), Log, day(6))
    assert days == {Log.SENDS: [day(4), day(6)], Log.CLICKS: [day(6)]}


def test_a_log_without_files_or_not_expected_daily_has_no_missing_days() -> None:
    assert missing_days(files(exchange_rates=[1], sends=[1]), [Log.SENDS, Log.CLICKS], day(2)) == {Log.SENDS: [day(2)]}


def test_an_empty_landing_zone_has_no_missing_days() -> None:
    assert missing_days([], Log, day(6)) == {}


def test_missing_days_of_the_last_month_are_late() -> None:
    now = datetime(2026, 2, 2, 12, tzinfo=UTC)
    assert late_days({Log.SENDS: [day(1), day(2)], Log.CLICKS: [day(1)]}, now) == {Log.SENDS: [day(2)]}


def test_days_are_described_as_ranges_and_days_of_all_logs_once() -> None:
    days = {Log.SENDS: [day(1), day(2), day(3), day(5)], Log.CLICKS: [day(5)]}
    assert describe_days(days, [Log.SENDS, Log.CLICKS]) == ["all logs: 2026-01-05", "sends: 2026-01-01 to 2026-01-03"]
    assert describe_days(days, [Log.SENDS, Log.CLICKS, Log.ORDERS])[0] == "sends: 2026-01-01 to 2026-01-03, 2026-01-05"
    assert describe_days({Log.SENDS: [day(5)]}, [Log.SENDS]) == ["sends: 2026-01-05"]


def test_of_many_ranges_the_latest_are_described() -> None:
    (line,) = describe_days({Log.SENDS: [date(2026, 1, 1) + timedelta(days=2 * n) for n in range(30)]}, Log)
    assert line.startswith("sends: …, 2026-01-21")
    assert line.endswith("2026-02-28")
