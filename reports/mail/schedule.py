"""When a subscription is due, and the period that its mail is about. Days are those of SENDMART_REPORT_TIMEZONE.

Not here: which mails were sent (`warehouse.ledger.report_mails`).
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from reports.mail.subscriptions import Every, Subscription

DAYS_OF_PUBLICATION = 7
"""A mail after each publication has the figures of so many whole days."""


@dataclass(frozen=True)
class Period:
    """Whole days, both ends included."""

    first: date
    last: date

    @property
    def before(self) -> "Period":
        """The same number of days before; for a month, the month before."""
        last = self.first - timedelta(days=1)
        if self.is_month:
            return Period(last.replace(day=1), last)
        return Period(self.first - (self.last - self.first) - timedelta(days=1), last)

    @property
    def is_month(self) -> bool:
        next_day = self.last + timedelta(days=1)
        return self.first.day == next_day.day == 1 and (self.last - self.first).days < 31

    def __str__(self) -> str:
        if self.is_month:
            return f"{self.first:%B %Y}"
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"


@dataclass(frozen=True)
class Occasion:
    """What a mail is about: a period. The ledger remembers the `key`."""

    key: str
    period: Period


def last_occasion(
    subscription: Subscription, moment: datetime, zone: ZoneInfo, build_id: str, last_whole_day: date
) -> Occasion:
    """The latest occasion of a subscription that is due at a moment. For a mail after each publication, the published build."""
    if subscription.every is Every.PUBLICATION:
        first = last_whole_day - timedelta(days=DAYS_OF_PUBLICATION - 1)
        return Occasion(build_id, Period(first, last_whole_day))
    local = moment.astimezone(zone).replace(tzinfo=None)
    # The latest day on which the time of the mail has passed.
    due = (local - _since_midnight(subscription.at)).date()
    if subscription.every is Every.DAY:
        day = due - timedelta(days=1)
        return Occasion(f"day {day}", Period(day, day))
    if subscription.every is Every.WEEK:
        due -= timedelta(days=(due.weekday() - subscription.weekday) % 7)
        last = due - timedelta(days=due.weekday() + 1)
        return Occasion(f"week to {last}", Period(last - timedelta(days=6), last))
    # Before its day of the month, the mail about the month before the last is the latest.
    months_first = due.replace(day=1)
    if due.day < subscription.month_day:
        months_first = (months_first - timedelta(days=1)).replace(day=1)
    last = months_first - timedelta(days=1)
    return Occasion(f"month {last:%Y-%m}", Period(last.replace(day=1), last))


def _since_midnight(at: str) -> timedelta:
    moment = time.fromisoformat(at)
    return timedelta(hours=moment.hour, minutes=moment.minute)
