"""The figures of a period beside those of the period before, from `insights.daily_totals` (each event on its own day).

Not here: the campaigns in a mail (`reports.queries.campaign_table`), HTML and text (`reports.mail.message`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from models.insights import SCHEMA as INSIGHTS_SCHEMA
from reports import formatting
from reports.database import INSIGHTS, Published, Row
from reports.mail.schedule import Period
from reports.queries import notices
from reports.queries.first_page import periods
from reports.words import FAILURE_REASONS

_SUMS = ("messages", "delivered", "failed", "clicks", "unsubscribes", "direct_orders", "revenue", "cost")

_QUERY = f"""
    select {", ".join(f"coalesce(sum({name}), 0) as {name}" for name in _SUMS)}
    from {INSIGHTS}.daily_totals
    where clock = 'event' and day between $first and $last and ($type = '' or campaign_type = $type)
"""


@dataclass(frozen=True)
class PeriodFigure:
    """A figure as text, in the period and in the period before, and its change."""

    name: str
    value: str
    before: str
    change: str


def period_figures(published: Published, period: Period, campaign_type: str, currency: str) -> list[PeriodFigure]:
    """The figures of a period, of all campaigns or of a type. None if the build has no insights."""
    if not published.has(INSIGHTS_SCHEMA, "daily_totals"):
        return []
    now, before = (_sums(published, part, campaign_type) for part in (period, period.before))
    return [
        PeriodFigure(name, text(value), text(value_before), change(value, value_before))
        for name, figure, text, change in _figures(currency)
        for value, value_before in [(figure(now), figure(before))]
    ]


def remarks(published: Published, period: Period, zone: ZoneInfo) -> list[str]:
    """What is not in the figures of all campaigns, and days on which a provider failed. None if the build has no insights."""
    if not published.has(INSIGHTS_SCHEMA, "delivery_incidents"):
        return []
    found = notices.notices(published, periods.Period(period.first, period.last), zone)
    lines = [_incident(incident) for incident in found.incidents.shown]
    if found.incidents.count > len(lines):
        lines.append(f"{found.incidents.count - len(lines):,} more incidents in this period.")
    if found.orders:
        lines.append(found.orders.sentence)
    if count := found.costs["unconverted"]:
        verb, their = ("message is", "its") if count == 1 else ("messages are", "their")
        lines.append(f"{count:,} {verb} not in the cost: no exchange rate for {their} currency.")
    return lines


def _incident(incident: Row) -> str:
    country = f" in {incident['country']}" if incident["country"] else ""
    first, last = incident["first_day"], incident["last_day"]
    days = f"on {first}" if first == last else f"from {first} to {last}"
    return (
        f"{incident['provider']}{country} failed more than usual {days}: {formatting.rate(incident['failure_rate'])} of"
        f" {incident['messages']:,} messages, {formatting.rate(incident['baseline_rate'])} in the weeks before. Mostly:"
        f" {FAILURE_REASONS[incident['top_reason']].lower()}."
    )


def _sums(published: Published, period: Period, campaign_type: str) -> Row:
    (row,) = published.rows(_QUERY, {"first": period.first, "last": period.last, "type": campaign_type})
    return row


_Figure = tuple[str, Callable[[Row], Any], Callable[[Any], str], Callable[[Any, Any], str]]


def _figures(currency: str) -> list[_Figure]:
    def money(value: Decimal) -> str:
        return f"{currency} {formatting.money(value)}"

    return [
        ("Revenue", lambda row: row["revenue"], money, _growth),
        ("Messages", lambda row: row["messages"], formatting.count, _growth),
        ("Delivered", lambda row: row["delivered"], formatting.count, _growth),
        ("Delivery rate", lambda row: _ratio(row["delivered"], row["messages"]), formatting.rate, _points),
        ("Clicks", lambda row: row["clicks"], formatting.count, _growth),
        ("Direct orders", lambda row: row["direct_orders"], formatting.count, _growth),
        ("Cost", lambda row: row["cost"], money, _growth),
        ("Unsubscribes", lambda row: row["unsubscribes"], formatting.count, _growth),
        ("Unsubscribes per 1,000 delivered", _unsubscribes_per_1000, _decimal, _growth),
    ]


def _unsubscribes_per_1000(row: Row) -> float | None:
    ratio = _ratio(row["unsubscribes"], row["delivered"])
    return None if ratio is None else 1000 * ratio


def _ratio(part: int, whole: int) -> float | None:
    return int(part) / int(whole) if whole else None


def _decimal(value: float | None) -> str:
    return formatting.NOTHING if value is None else f"{value:,.1f}"


def _growth(value: Any, before: Any) -> str:
    if value is None or not before:
        return formatting.NOTHING
    return _signed(100 * (float(value) / float(before) - 1), "%")


def _points(value: float | None, before: float | None) -> str:
    if value is None or before is None:
        return formatting.NOTHING
    return _signed(100 * (value - before), "points")


def _signed(value: float, unit: str) -> str:
    rounded = round(value, 1) or 0.0  # no minus before a zero
    number = f"{rounded:+,.1f}".replace("-", "\N{MINUS SIGN}") if rounded else "0.0"
    return f"{number}\N{NO-BREAK SPACE}{unit}"
