"""What to know about figures: orders that are not in revenue, costs that are not known, days on which a provider failed.

Not here: the figures of a campaign (`reports.queries.campaign`) and of a period (`reports.queries.first_page.overview`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from models.enums import Attribution, UnconvertedReason
from reports.database import INSIGHTS, MARTS, Published, Row
from reports.formatting import amount, count
from reports.links import start_of
from reports.queries.first_page.periods import ONE_DAY, Period
from reports.words import UNCONVERTED_REASONS

_ROWS = (
    f"from {MARTS}.attributed_orders as orders inner join {MARTS}.unconverted_orders as unconverted using (order_id)"
    " where orders.revenue is null and orders.attribution = $attribution and unconverted.total > unconverted.refunded_amount"
)
"""Orders of campaigns without revenue. An order of no campaign is in none anyway. One that was paid back lacks nothing."""


@dataclass(frozen=True)
class Unconverted:
    """Orders of one attribution that are not in revenue: their number, and their sums by reason and currency."""

    attribution: Attribution
    orders: int
    sums: Sequence[Row]

    @property
    def sentence(self) -> str:
        """Such as: 3 orders (CHF 99.00, JPY 5,000.00) are not in revenue: no exchange rate."""
        sums = ", ".join(f"{row['currency']} {amount(row['amount'])}" for row in self.sums)
        reasons = dict.fromkeys(UNCONVERTED_REASONS[UnconvertedReason(row["reason"])] for row in self.sums)
        orders, verb = ("order", "is") if self.orders == 1 else ("orders", "are")
        kind = "assisted " if self.attribution == Attribution.ASSISTED else ""
        return f"{count(self.orders)} {kind}{orders} ({sums}) {verb} not in {kind}revenue: {' or '.join(reasons)}."


def unconverted(
    published: Published, where: str, parameters: dict[str, Any], attribution: Attribution = Attribution.DIRECT
) -> Unconverted | None:
    """Those of the orders that match, a condition over `orders`, the rows of attributed_orders; None if there are none."""
    rows = published.rows(
        f"{_sums('null')} {_ROWS} and {where} group by all order by reason, currency",
        {**parameters, "attribution": str(attribution)},
    )
    return _summed(rows, attribution) if rows else None


def by_campaign(published: Published, where: str, parameters: dict[str, Any]) -> dict[str, Unconverted]:
    """The direct ones of each campaign that has some, by its id."""
    query = f"{_sums('orders.campaign_id')} {_ROWS} and {where} group by all order by campaign_id, reason, currency"
    rows = published.rows(query, {**parameters, "attribution": str(Attribution.DIRECT)})
    return {
        campaign_id: _summed(list(sums), Attribution.DIRECT)
        for campaign_id, sums in groupby(rows, key=lambda row: str(row["campaign_id"]))
    }


def with_orders_not_in_revenue(query: str) -> str:
    """A query of campaigns with the number of their direct orders that are not in revenue. It has the parameter `attribution`."""
    orders = f"select orders.campaign_id, count(*) as orders_not_in_revenue {_ROWS} group by all"
    return (
        "select campaigns.*, coalesce(orders_not_in_revenue, 0) as orders_not_in_revenue"
        f" from ({query}) as campaigns left join ({orders}) as short using (campaign_id)"
    )


def _sums(campaign_id: str) -> str:
    return (
        f"select {campaign_id} as campaign_id, unconverted.currency, unconverted.reason, count(*) as orders,"
        " sum(unconverted.total - unconverted.refunded_amount) as amount"
    )


def _summed(sums: list[Row], attribution: Attribution) -> Unconverted:
    return Unconverted(attribution, sum(row["orders"] for row in sums), sums)


# --- of a period


INCIDENTS_SHOWN = 3


@dataclass(frozen=True)
class Incidents:
    """The latest incidents of a period, the number of all of them, and the first day of the earliest."""

    shown: Sequence[Row]
    count: int
    since: date | None


@dataclass(frozen=True)
class Notices:
    """What is not in the figures of a period, and days on which a provider failed."""

    orders: Unconverted | None
    costs: Row
    incidents: Incidents


def notices(published: Published, period: Period, zone: ZoneInfo) -> Notices:
    """Orders placed in the period that are not in revenue, costs of the campaigns last sent in it, and its incidents."""
    within = {"start": start_of(period.first, zone), "end": start_of(period.last + ONE_DAY, zone)}
    days = {"first": period.first, "last": period.last}
    where = "where first_day <= $last and last_day >= $first"
    incidents = published.rows(
        f"select *, count(*) over () as number, min(first_day) over () as since from {INSIGHTS}.delivery_incidents {where}"
        f" order by last_day desc, excess_failed desc, provider, country limit {INCIDENTS_SHOWN}",
        days,
    )
    (costs,) = published.rows(
        "select coalesce(sum(messages_costed), 0) as costed, coalesce(sum(messages_cost_unconverted), 0) as unconverted,"
        f" coalesce(sum(messages_without_cost), 0) as without from {INSIGHTS}.campaign_economics"
        f" inner join {MARTS}.campaign_metrics using (campaign_id) where last_sent_at >= $start and last_sent_at < $end",
        within,
    )
    return Notices(
        unconverted(published, "orders.ordered_at >= $start and orders.ordered_at < $end", within),
        costs,
        Incidents(
            incidents,
            incidents[0]["number"] if incidents else 0,
            incidents[0]["since"] if incidents else None,
        ),
    )
