"""Periods of whole days, the period that each is compared with, and the days, weeks or months in it.

Not here: the figures of a period (`reports.queries.first_page.overview`).
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from reports.links import start_of

ONE_DAY = timedelta(days=1)
A_YEAR_OF_WEEKS = timedelta(weeks=52)


class Period(NamedTuple):
    """The days from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def has(self, other: "Period") -> bool:
        """Whether all days of another period are in this one."""
        return self.first <= other.first and other.last <= self.last

    def meets(self, other: "Period") -> bool:
        """Whether the periods have a day in common."""
        return self.first <= other.last and other.first <= self.last

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.first <= day <= self.last


class Choice(StrEnum):
    """A period by its name. The current month and quarter end with the last whole day of the data."""

    DAYS_7 = "7d"
    DAYS_30 = "30d"
    DAYS_90 = "90d"
    LAST_WEEK = "last-week"
    MONTH = "month"
    LAST_MONTH = "last-month"
    QUARTER = "quarter"
    LAST_QUARTER = "last-quarter"
    ALL = "all"
    OWN = "own"


class Against(StrEnum):
    """What a period is compared with."""

    BEFORE = "before"
    YEAR = "year"


class Step(StrEnum):
    """The length of one step of a chart."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


_MONTHS = {Choice.MONTH: 1, Choice.LAST_MONTH: 1, Choice.QUARTER: 3, Choice.LAST_QUARTER: 3}
_IS_CURRENT = (Choice.MONTH, Choice.QUARTER)


def last_whole_day(data_until: date, zone: ZoneInfo) -> date:
    """The last day in `zone` that ends no later than the data, which ends with the UTC day `data_until`."""
    end = start_of(data_until + ONE_DAY, ZoneInfo("UTC"))
    day = data_until + ONE_DAY
    while start_of(day + ONE_DAY, zone) > end:
        day -= ONE_DAY
    return day


def period_of(choice: Choice, last_day: date) -> Period:
    """The period of this name, where `last_day` is the last whole day. Not for `all` and `own`, which have no fixed length."""
    if choice in _MONTHS:
        months = _MONTHS[choice]
        first = _first_of(last_day, months)
        if choice in _IS_CURRENT:
            return Period(first, last_day)
        return Period(add_months(first, -months), first - ONE_DAY)
    if choice == Choice.LAST_WEEK:
        sunday = last_day - timedelta(days=(last_day.weekday() + 1) % 7)
        return Period(sunday - timedelta(days=6), sunday)
    days = int(choice.removesuffix("d"))
    return Period(last_day - timedelta(days=days - 1), last_day)


def compared_with(choice: Choice, period: Period, against: Against) -> Period | None:
    """The period before, or the same one a year earlier; None for `all`, which has none.

    The period before a month or a quarter is the month or quarter before: of a current one, the same days of it. A week is
    compared with a week from Monday to Sunday.
    """
    if choice == Choice.ALL:
        return None
    if against == Against.YEAR and choice == Choice.LAST_WEEK:
        return Period(period.first - A_YEAR_OF_WEEKS, period.last - A_YEAR_OF_WEEKS)
    if against == Against.YEAR:
        return _moved(period, -12)
    if choice in _MONTHS:
        return _moved(period, -_MONTHS[choice])
    return Period(period.first - timedelta(days=period.days), period.first - ONE_DAY)


def add_months(day: date, months: int) -> date:
    """The same day of another month; the last one of a month that is too short."""
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def _moved(period: Period, months: int) -> Period:
    """The same days in other months. A period to the end of a month stays one: 1 to 28 February becomes 1 to 31 January."""
    last = add_months(period.last, months)
    if _is_end_of_month(period.last) and period.first.day == 1:
        last = last.replace(day=monthrange(last.year, last.month)[1])
    return Period(add_months(period.first, months), last)


def _is_end_of_month(day: date) -> bool:
    return (day + ONE_DAY).day == 1


def _first_of(day: date, months: int) -> date:
    """The first day of the month, or of the quarter for three months."""
    return date(day.year, day.month - (day.month - 1) % months, 1)


def default_step(period: Period) -> Step:
    return Step.DAY if period.days <= 45 else Step.WEEK if period.days <= 200 else Step.MONTH


def steps(period: Period, step: Step) -> list[Period]:
    """The days, weeks (from Monday) or months of a period, in order. The first and the last may be cut by the period."""
    return list(_steps(period, step))


def _steps(period: Period, step: Step) -> Iterator[Period]:
    first = period.first
    while first <= period.last:
        last = {
            Step.DAY: first,
            Step.WEEK: first + timedelta(days=6 - first.weekday()),
            Step.MONTH: add_months(first.replace(day=1), 1) - ONE_DAY,
        }[step]
        yield Period(first, min(last, period.last))
        first = last + ONE_DAY
