"""Periods, what they are compared with, and their steps."""

from datetime import date
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.queries.first_page.periods import (
    Against,
    Choice,
    Period,
    Step,
    add_months,
    compared_with,
    default_step,
    last_whole_day,
    period_of,
    steps,
)

DAYS = st.dates(date(1995, 1, 1), date(2090, 12, 31))
NAMED = [choice for choice in Choice if choice not in (Choice.ALL, Choice.OWN)]


def period(text: str) -> Period:
    first, last = text.split("..")
    return Period(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("choice", "last_day", "shown", "before", "year"),
    [
        ("7d", "2026-11-29", "2026-11-23..2026-11-29", "2026-11-16..2026-11-22", "2025-11-23..2025-11-29"),
        ("30d", "2026-01-05", "2025-12-07..2026-01-05", "2025-11-07..2025-12-06", "2024-12-07..2025-01-05"),
        ("90d", "2026-03-31", "2026-01-01..2026-03-31", "2025-10-03..2025-12-31", "2025-01-01..2025-03-31"),
        ("month", "2026-11-29", "2026-11-01..2026-11-29", "2026-10-01..2026-10-29", "2025-11-01..2025-11-29"),
        ("last-week", "2026-11-29", "2026-11-23..2026-11-29", "2026-11-16..2026-11-22", "2025-11-24..2025-11-30"),
        ("last-week", "2026-12-05", "2026-11-23..2026-11-29", "2026-11-16..2026-11-22", "2025-11-24..2025-11-30"),
        # A whole month is compared with a whole month, also where it is shorter or longer.
        ("month", "2026-11-30", "2026-11-01..2026-11-30", "2026-10-01..2026-10-31", "2025-11-01..2025-11-30"),
        ("month", "2026-03-31", "2026-03-01..2026-03-31", "2026-02-01..2026-02-28", "2025-03-01..2025-03-31"),
        ("month", "2026-03-30", "2026-03-01..2026-03-30", "2026-02-01..2026-02-28", "2025-03-01..2025-03-30"),
        ("month", "2028-02-29", "2028-02-01..2028-02-29", "2028-01-01..2028-01-31", "2027-02-01..2027-02-28"),
        ("month", "2029-02-28", "2029-02-01..2029-02-28", "2029-01-01..2029-01-31", "2028-02-01..2028-02-29"),
        ("month", "2028-02-28", "2028-02-01..2028-02-28", "2028-01-01..2028-01-28", "2027-02-01..2027-02-28"),
        ("last-month", "2026-01-15", "2025-12-01..2025-12-31", "2025-11-01..2025-11-30", "2024-12-01..2024-12-31"),
        ("last-month", "2028-03-01", "2028-02-01..2028-02-29", "2028-01-01..2028-01-31", "2027-02-01..2027-02-28"),
        ("quarter", "2026-05-31", "2026-04-01..2026-05-31", "2026-01-01..2026-02-28", "2025-04-01..2025-05-31"),
        ("quarter", "2026-05-15", "2026-04-01..2026-05-15", "2026-01-01..2026-02-15", "2025-04-01..2025-05-15"),
        ("last-quarter", "2026-02-28", "2025-10-01..2025-12-31", "2025-07-01..2025-09-30", "2024-10-01..2024-12-31"),
        ("7d", "2028-03-04", "2028-02-27..2028-03-04", "2028-02-20..2028-02-26", "2027-02-27..2027-03-04"),
        ("7d", "2028-02-29", "2028-02-23..2028-02-29", "2028-02-16..2028-02-22", "2027-02-23..2027-02-28"),
    ],
)
def test_a_period_and_what_it_is_compared_with(choice: str, last_day: str, shown: str, before: str, year: str) -> None:
    found = period_of(Choice(choice), date.fromisoformat(last_day))
    assert found == period(shown)
    assert compared_with(Choice(choice), found, Against.BEFORE) == period(before)
    assert compared_with(Choice(choice), found, Against.YEAR) == period(year)


def test_own_days_are_compared_with_as_many_days_before() -> None:
    own = period("2026-03-01..2026-03-03")
    assert compared_with(Choice.OWN, own, Against.BEFORE) == period("2026-02-26..2026-02-28")
    assert compared_with(Choice.OWN, own, Against.YEAR) == period("2025-03-01..2025-03-03")
    assert compared_with(Choice.ALL, own, Against.BEFORE) is None


def test_the_same_day_of_another_month() -> None:
    assert add_months(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert add_months(date(2028, 2, 29), -12) == date(2027, 2, 28)
    assert add_months(date(2026, 1, 15), -1) == date(2025, 12, 15)
    assert add_months(date(2026, 11, 30), 3) == date(2027, 2, 28)


@given(st.sampled_from(NAMED), DAYS)
def test_the_period_before_ends_before_it_begins(choice: Choice, last_day: date) -> None:
    shown = period_of(choice, last_day)
    assert shown.first <= shown.last <= last_day
    before = compared_with(choice, shown, Against.BEFORE)
    assert before is not None
    assert before.first <= before.last < shown.first


@given(DAYS, st.integers(0, 800), st.sampled_from(Step))
def test_steps_cover_a_period_without_gaps(first: date, more_days: int, step: Step) -> None:
    whole = Period(first, date.fromordinal(first.toordinal() + more_days))
    parts = steps(whole, step)
    assert [day for part in parts for day in range(part.first.toordinal(), part.last.toordinal() + 1)] == list(
        range(whole.first.toordinal(), whole.last.toordinal() + 1)
    )
    for part in parts[1:]:
        assert step == Step.DAY or (part.first.weekday() == 0 if step == Step.WEEK else part.first.day == 1)


def test_a_longer_period_has_longer_steps() -> None:
    assert [default_step(period_of(choice, date(2026, 11, 29))) for choice in (Choice.DAYS_30, Choice.DAYS_90)] == [
        Step.DAY,
        Step.WEEK,
    ]
    assert default_step(period("2025-01-01..2026-01-01")) == Step.MONTH


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("UTC", "2026-11-29"),
        ("Europe/Zurich", "2026-11-29"),
        ("Asia/Kolkata", "2026-11-29"),
        ("America/New_York", "2026-11-28"),
        ("Pacific/Kiritimati", "2026-11-29"),
    ],
)
def test_the_last_whole_day_ends_with_the_data(zone: str, expected: str) -> None:
    assert last_whole_day(date(2026, 11, 29), ZoneInfo(zone)) == date.fromisoformat(expected)


@given(st.dates(date(2020, 1, 1), date(2030, 12, 31)), st.sampled_from(sorted(available_timezones())))
def test_the_last_whole_day_is_near_the_end_of_the_data(data_until: date, zone: str) -> None:
    assert -1 <= (last_whole_day(data_until, ZoneInfo(zone)) - data_until).days <= 0
