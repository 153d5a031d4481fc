"""Campaigns side by side: figures, rates with their intervals, failure reasons, and how soon contacts respond.

Not here: choosing the campaigns in the table (`reports.queries.campaign_table`), the intervals (`reports.queries.proportions`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from models.enums import FailureReason
from reports.database import INSIGHTS, MARTS, Published, Row
from reports.formatting import figure
from reports.links import link
from reports.message_preview import Message, message_preview
from reports.plots import Chart, Line
from reports.queries import notices
from reports.queries.notices import Unconverted
from reports.queries.proportions import Difference, Interval, Proportion, difference, wilson_interval
from reports.queries.search import matches_words
from reports.words import FAILURE_REASONS

FEWEST, MOST = 2, 5
"""How many campaigns a comparison has."""

FOUND = 10
"""The most campaigns that a search for another one lists."""


@dataclass(frozen=True)
class CompareQuery:
    """The campaigns to compare, in the order of the link, and a search for another one. `left_out`: how many are too many."""

    campaign_ids: tuple[str, ...] = ()
    search: str = ""
    left_out: int = 0

    @classmethod
    def of(cls, campaign_ids: Sequence[str], search: str) -> "CompareQuery":
        chosen = tuple(dict.fromkeys(filter(None, campaign_ids)))
        return cls(chosen[:MOST], search.strip(), len(chosen[MOST:]))

    def link(self, campaign_ids: Iterable[str]) -> str:
        """The link that compares these campaigns."""
        return link("/compare", [("campaign", campaign_id) for campaign_id in campaign_ids])

    def with_campaign(self, campaign_id: str) -> str:
        return self.link([*self.campaign_ids, campaign_id])

    def without(self, campaign_id: str) -> str:
        return self.link(other for other in self.campaign_ids if other != campaign_id)


@dataclass(frozen=True)
class Compared:
    """A campaign: its rows of the marts. `economics` and `clicks` are empty if the build has no insights or it has none.

    `unconverted` are its orders that are not in its revenue.
    """

    campaign_id: str
    name: str
    details: Row | None
    metrics: Row | None
    economics: Row
    clicks: Row
    unconverted: Unconverted | None

    @property
    def message(self) -> Message | None:
        return message_preview(self.details) if self.details else None

    def figure(self, name: str) -> Any:
        """A figure of one of its rows; None if no row has it."""
        rows = ((self.metrics or {}), self.economics, self.clicks)
        return next((row[name] for row in rows if name in row), None)


def compared(published: Published, query: CompareQuery) -> list[Compared]:
    """The campaigns of the link that the build has."""
    ids = list(query.campaign_ids)
    details = _by_campaign(published, f"{MARTS}.campaigns", ids)
    metrics = _by_campaign(published, f"{MARTS}.campaign_metrics", ids)
    short = notices.by_campaign(published, "orders.campaign_id in (select unnest($ids))", {"ids": ids})
    has_insights = published.has("insights", "campaign_economics")
    economics = _by_campaign(published, f"{INSIGHTS}.campaign_economics", ids) if has_insights else {}
    clicks = _by_campaign(published, f"{INSIGHTS}.campaign_click_quality", ids) if has_insights else {}
    return [
        Compared(
            campaign_id,
            (details.get(campaign_id) or metrics[campaign_id])["campaign_name"] or campaign_id,
            details.get(campaign_id),
            metrics.get(campaign_id),
            economics.get(campaign_id, {}),
            clicks.get(campaign_id, {}),
            short.get(campaign_id),
        )
        for campaign_id in ids
        if campaign_id in details or campaign_id in metrics
    ]


def _by_campaign(published: Published, table: str, campaign_ids: list[str]) -> dict[str, Row]:
    rows = published.rows(f"select * from {table} where campaign_id in (select unnest($ids))", {"ids": campaign_ids})
    return {row["campaign_id"]: row for row in rows}


def found(published: Published, query: CompareQuery) -> list[Row]:
    """The campaigns that a search finds, the last sent first, without those that are compared."""
    if not query.search:
        return []
    return published.rows(
        f"select campaign_id, campaign_name, last_sent_at from {MARTS}.campaign_metrics"
        f" where {matches_words(('campaign_name', 'campaign_id'), 'search')}"
        " and campaign_id not in (select unnest($ids)) order by last_sent_at desc nulls last, campaign_id"
        f" limit {FOUND}",
        {"search": query.search, "ids": list(query.campaign_ids)},
    )


class Figure(NamedTuple):
    """A row of the table of figures: its column in the marts, its label and unit."""

    column: str
    label: str
    unit: str


FIGURES = (
    Figure("revenue", "Revenue", "money"),
    Figure("cost", "Cost", "money"),
    Figure("profit", "Profit", "money"),
    Figure("roi", "Return on cost (ROI)", "rate"),
    Figure("revenue_per_message", "Revenue per message", "amount"),
    Figure("cost_per_message", "Cost per message", "amount"),
    Figure("total_sent", "Messages sent", "count"),
    Figure("total_delivered", "Messages delivered", "count"),
    Figure("total_clicks", "Clicks", "count"),
    Figure("unique_clickers", "Contacts who clicked", "count"),
    Figure("human_unique_clickers", "of these, without bots", "count"),
    Figure("direct_orders", "Direct orders", "count"),
    Figure("assisted_orders", "Assisted orders", "count"),
    Figure("unsubscribes", "Unsubscribes", "count"),
)


class RateOfCampaign(NamedTuple):
    proportion: Proportion
    interval: Interval | None


class RateUnit(NamedTuple):
    """How rates are shown: their unit (`formatting.figure`), what they are multiplied by, and the words for a difference."""

    unit: str
    factor: int
    decimals: int
    difference: str

    def text(self, rate: float) -> str:
        return figure(rate if self.unit == "rate" else rate * self.factor, self.unit)

    def signed(self, rate: float) -> str:
        return f"{rate * self.factor:+.{self.decimals}f}"


PER_CENT = RateUnit("rate", 100, 1, "points")
PER_THOUSAND = RateUnit("per_thousand", 1_000, 2, "per 1,000")


class Rate(NamedTuple):
    """A rate of each campaign, and the difference of the first two if there are exactly two. `unit`: per cent or per 1,000."""

    label: str
    of: str
    unit: RateUnit
    campaigns: list[RateOfCampaign | None]
    difference: Difference | None


def rates(campaigns: Sequence[Compared], conversion_denominator: str) -> list[Rate]:
    """The rates of the campaigns with Wilson intervals."""
    of_conversion = {
        "unique_clickers": "contacts who clicked",
        "total_delivered": "delivered messages",
        "total_sent": "sent messages",
    }
    kinds = [
        ("Delivery rate", "total_delivered", "total_sent", "sent messages", PER_CENT),
        ("Click-to-delivered rate", "unique_clickers", "total_delivered", "delivered messages", PER_CENT),
        (
            "Click-to-delivered rate without bots",
            "human_unique_clickers",
            "total_delivered",
            "delivered messages",
            PER_CENT,
        ),
        ("Conversion rate", "direct_orders", conversion_denominator, of_conversion[conversion_denominator], PER_CENT),
        ("Unsubscribes per 1,000", "unsubscribes", "total_delivered", "delivered messages", PER_THOUSAND),
    ]
    table = []
    for label, part, whole, of, unit in kinds:
        proportions = [_proportion(campaign, part, whole) for campaign in campaigns]
        known = [proportion for proportion in proportions if proportion is not None]
        table.append(
            Rate(
                label,
                of,
                unit,
                [proportion and RateOfCampaign(proportion, wilson_interval(proportion)) for proportion in proportions],
                difference(*known) if len(campaigns) == len(known) == FEWEST else None,
            )
        )
    return [rate for rate in table if any(rate.campaigns)]


def _proportion(campaign: Compared, part: str, whole: str) -> Proportion | None:
    """None if the campaign was not sent, or the build has no insights. A campaign without clicks has no human ones."""
    value = campaign.figure(part)
    if campaign.metrics is None or (value is None and not campaign.economics):
        return None
    return Proportion(value or 0, campaign.metrics[whole])


def failure_reasons(published: Published, campaigns: Sequence[Compared]) -> list[tuple[str, list[int]]]:
    """By reason in words, the failed messages of each campaign; the most frequent first."""
    rows = published.rows(
        f"select reason, campaign_id, sum(messages)::bigint as messages from {INSIGHTS}.delivery_failures"
        " where campaign_id in (select unnest($ids)) group by all",
        {"ids": [campaign.campaign_id for campaign in campaigns]},
    )
    counts = {(row["reason"], row["campaign_id"]): row["messages"] for row in rows}
    table = [
        (FAILURE_REASONS[reason], [counts.get((str(reason), campaign.campaign_id), 0) for campaign in campaigns])
        for reason in FailureReason
    ]
    return sorted((row for row in table if any(row[1])), key=lambda row: -sum(row[1]))


def response_curves(published: Published, campaigns: Sequence[Compared]) -> Chart | None:
    """The share of a campaign's clicks up to each time since its message; None if none has a click."""
    rows = published.rows(
        f"select campaign_id, from_minutes, cumulative_click_share as share from {INSIGHTS}.campaign_response"
        " where campaign_id in (select unnest($ids)) and from_minutes is not null order by from_minutes",
        {"ids": [campaign.campaign_id for campaign in campaigns]},
    )
    starts = list(dict.fromkeys(row["from_minutes"] for row in rows))
    if not starts:
        return None
    shares = {(row["campaign_id"], row["from_minutes"]): row["share"] for row in rows}
    lines = [
        Line(campaign.name, f"series-{number}", "rate", [shares.get((campaign.campaign_id, start)) for start in starts])
        for number, campaign in enumerate(campaigns, 1)
    ]
    chart = Chart(
        "responses",
        "Share of clicks since the message",
        "time since the message",
        *steps_since_message(starts),
        lines,
    )
    return chart if chart.has_values else None


def steps_since_message(starts: Sequence[int]) -> tuple[list[str], list[str]]:
    """The names and the labels of the steps of a chart of running totals, from the starts of the buckets in minutes."""
    ends = starts[1:]
    names = [f"within {time_words(end)}" for end in ends]
    labels = [time_words(end, is_short=True) for end in ends]
    return [*names, "at any time"], [*labels, "later"]


def time_words(minutes: int, *, is_short: bool = False) -> str:
    """A whole number of minutes, hours or days."""
    for unit, short, length in (("day", "d", 1440), ("hour", "h", 60), ("minute", "min", 1)):
        if minutes % length == 0 and minutes >= length:
            number = minutes // length
            return f"{number} {short}" if is_short else f"{number} {unit}{'' if number == 1 else 's'}"
    return "0 min" if is_short else "0 minutes"
