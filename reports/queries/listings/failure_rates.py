"""Failure rates: failed messages of all messages, by the day of sending and over campaigns, and the usual rate of a day.

Not here: why messages failed (`reports.queries.listings.delivery`), days of far more failures (the mart delivery_incidents).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from reports.database import INSIGHTS, MARTS, Published
from reports.links import start_of
from reports.queries.listings.listing import ListingQuery, Reader

DAYS_BEFORE = 28
"""The usual rate of a day is the median of the rates of this many days before it."""


@dataclass(frozen=True)
class DayOfSending:
    """Messages sent on a day in the time zone of the reports, and those of them that failed."""

    messages: int
    failed: int

    @property
    def rate(self) -> float | None:
        return self.failed / self.messages if self.messages else None


def by_day(published: Published) -> dict[date, DayOfSending]:
    """All days on which messages were sent."""
    rows = published.rows(
        f"select day, sum(messages)::bigint as messages, sum(failed)::bigint as failed from {INSIGHTS}.daily_totals"
        " where clock = 'sent' group by day order by day"
    )
    return {row["day"]: DayOfSending(row["messages"], row["failed"]) for row in rows}


def usual_rate(days: Mapping[date, DayOfSending], day: date) -> float | None:
    """The median of the rates of the days before; None if no message was sent on them."""
    before = [days.get(day - timedelta(days=number)) for number in range(1, DAYS_BEFORE + 1)]
    rates = [other.rate for other in before if other and other.rate is not None]
    return median(rates) if rates else None


def chosen_days(days: Sequence[date], query: ListingQuery) -> list[date]:
    """The days of the query's time, without gaps."""
    first = query.first_day or min(days)
    last = query.last_day or max(days)
    known = [day for day in days if first <= day <= last]
    if not known:
        return []
    return [known[0] + timedelta(days=number) for number in range((known[-1] - known[0]).days + 1)]


def messages_of_campaigns(published: Published, query: ListingQuery, reader: Reader) -> int:
    """All messages of the campaigns in the query's time, or of its campaign, failed or not."""
    end = query.last_day and start_of(query.last_day + timedelta(days=1), reader.zone)
    (row,) = published.rows(
        f"select coalesce(sum(messages), 0)::bigint as messages from {INSIGHTS}.delivery_routes as routes"
        f" left join {MARTS}.campaign_metrics as metrics on routes.campaign_id = metrics.campaign_id"
        " where routes.campaign_id = coalesce($campaign, routes.campaign_id)"
        " and ($first is null or last_sent_at >= $first) and ($end is null or last_sent_at < $end)",
        {
            "campaign": query.campaign or None,
            "first": query.first_day and start_of(query.first_day, reader.zone),
            "end": end,
        },
    )
    return int(row["messages"])
