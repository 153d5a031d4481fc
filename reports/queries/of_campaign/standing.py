"""How a campaign stands: its rates among the account's other campaigns, and how final its figures are.

Not here: campaigns side by side (`reports.queries.compare`).
"""

from datetime import datetime
from typing import Any, NamedTuple

from models.enums import Figure
from reports.database import INSIGHTS, MARTS, Published, Row

MINIMUMS = (10, 100, 1000)
DEFAULT_MINIMUM = 100
"""The fewest deliveries of a campaign that is ranked: a rate of few messages is chance."""


class Standing(NamedTuple):
    """A rate of the campaign among the `ranked` campaigns.

    `rank` 1 is the best; None if the campaign has too few deliveries. `low`, `median` and `high` are the quartiles; `least`
    and `greatest` the ends.
    """

    label: str
    unit: str
    value: float | None
    rank: int | None
    ranked: int
    least: float
    low: float
    median: float
    high: float
    greatest: float

    def place(self, value: float) -> float:
        """Where a value stands between the ends, from 0 to 100."""
        span = self.greatest - self.least
        return round(100 * min(max((value - self.least) / span, 0.0), 1.0), 2) if span else 50.0


# Label, unit, SQL, and whether a low rate is the better one.
_RATES: tuple[tuple[str, str, str, bool], ...] = (
    ("Delivery rate", "rate", "total_delivered / nullif(total_sent, 0)", False),
    ("Click-to-delivered rate", "rate", "click_to_delivered_rate", False),
    ("Conversion rate", "rate", "conversion_rate", False),
    ("Revenue per message", "amount", "revenue::double / nullif(total_sent, 0)", False),
    ("Unsubscribes per 1,000 delivered", "per_thousand", "1000 * unsubscribes / nullif(total_delivered, 0)", True),
)


def standings(published: Published, campaign_id: str, minimum: int) -> list[Standing]:
    """The campaign's rates among the campaigns with at least so many deliveries. Quartiles are nearest ranks."""
    columns = ["total_delivered >= $minimum as is_ranked", "campaign_id = $campaign_id as is_own"]
    columns += [f"({expression})::double as rate_{at}" for at, (_, _, expression, _) in enumerate(_RATES)]
    figures = []
    for at, (_, _, _, is_least_best) in enumerate(_RATES):
        rate = f"rate_{at}"
        better = f"{rate} {'<' if is_least_best else '>'} (select {rate} from rates where is_own)"
        figures.append(
            f"any_value({rate}) filter (is_own) as value_{at}, count({rate}) filter (is_ranked) as ranked_{at},"
            f" count(*) filter (is_ranked and {better}) + 1 as rank_{at},"
            f" quantile_disc({rate}, [0, 0.25, 0.5, 0.75, 1]) filter (is_ranked) as quartiles_{at}"
        )
    (row,) = published.rows(
        f"with rates as (select {', '.join(columns)} from {MARTS}.campaign_metrics)"
        f" select bool_or(is_ranked) filter (is_own) as is_ranked, {', '.join(figures)} from rates",
        {"campaign_id": campaign_id, "minimum": minimum},
    )
    standings_of_rates = []
    for at, (label, unit, _, _) in enumerate(_RATES):
        if not row[f"quartiles_{at}"]:
            continue
        value, (least, low, median, high, greatest) = row[f"value_{at}"], row[f"quartiles_{at}"]
        rank = row[f"rank_{at}"] if row["is_ranked"] and value is not None else None
        standings_of_rates.append(
            Standing(label, unit, value, rank, row[f"ranked_{at}"], least, low, median, high, greatest)
        )
    return standings_of_rates


class Maturity(NamedTuple):
    """How much of each figure is known at an age in days. `is_oldest`: the campaign is at least as old as the table goes."""

    age_days: int
    is_oldest: bool
    shares: list[tuple[str, float]]


FIGURES = {
    Figure.DELIVERED: "deliveries",
    Figure.FAILED: "failures",
    Figure.CLICKS: "clicks",
    Figure.DIRECT_ORDERS: "direct orders",
}


def maturity(published: Published, last_sent_at: datetime | None) -> Maturity | None:
    """How final the figures of a campaign are whose last message was sent at a time (UTC); None if nobody can say."""
    data_until: Any = published.info["data_until"]
    if last_sent_at is None or data_until is None or last_sent_at.date() > data_until:
        return None
    age = (data_until - last_sent_at.date()).days
    rows: list[Row] = published.rows(
        f"select figure, age_days, share from {INSIGHTS}.figure_maturity where share is not null"
        f" and age_days = least($age, (select max(age_days) from {INSIGHTS}.figure_maturity))",
        {"age": age},
    )
    by_figure = {row["figure"]: row["share"] for row in rows}
    shares = [(words, by_figure[figure]) for figure, words in FIGURES.items() if figure in by_figure]
    return Maturity(age, age > rows[0]["age_days"], shares) if shares else None
