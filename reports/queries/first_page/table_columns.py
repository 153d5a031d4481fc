"""The columns of the campaign table: those of the report, and figures of the insights beside them; and named sets of them.

Not here: filters, order and totals of the table (`reports.queries.campaign_table`).
"""

from collections.abc import Mapping
from typing import NamedTuple

from models.insights import SCHEMA as INSIGHTS_SCHEMA
from models.marts import MartColumn, columns
from reports.database import INSIGHTS, MARTS, Published

NAME = "campaign_name"
"""The first column, which is always shown."""


def _columns_of(mart: str) -> dict[str, MartColumn]:
    return {column.name: column for column in columns(mart)}


_METRICS, _ECONOMICS = _columns_of("campaign_metrics"), _columns_of("campaign_economics")
_QUALITY = _columns_of("campaign_click_quality")


def _computed(name: str, label: str, meaning: str) -> MartColumn:
    return MartColumn(name, "double", True, meaning, label)


FROM_INSIGHTS = {
    "human_click_to_delivered_rate": _QUALITY["human_click_to_delivered_rate"],
    **{name: _ECONOMICS[name] for name in ("cost", "profit", "roi")},
}
"""The columns that a build without insights lacks."""

_COMPUTED = {
    "delivery_rate": _computed("delivery_rate", "Delivery rate", "total_delivered / total_sent."),
    "revenue_per_message": _computed("revenue_per_message", "Revenue per message", "revenue / total_sent."),
    "unsubscribe_rate": _computed(
        "unsubscribe_rate", "Unsubscribes per 1,000 delivered", "1000 * unsubscribes / total_delivered."
    ),
}

_ALL = {**_METRICS, **_COMPUTED, **FROM_INSIGHTS}

COLUMNS: dict[str, MartColumn] = {
    name: _ALL[name]
    for name in (
        NAME, "last_sent_at", "campaign_type", "total_sent", "total_delivered", "delivery_rate", "total_clicks",
        "unique_clickers", "click_to_delivered_rate", "human_click_to_delivered_rate", "conversion_rate", "direct_orders",
        "revenue", "revenue_per_message", "assisted_orders", "assisted_revenue", "cost", "profit", "roi", "unsubscribes",
        "unsubscribe_rate", "total_segments", "last_modified_by", "campaign_id",
    )
}  # fmt: skip
"""All columns with their labels, in the order of the table: from sending to what came of it."""

UNITS = {"revenue_per_message": "amount", "unsubscribe_rate": "per_thousand", "cost": "money", "profit": "money"}
"""The units of columns whose type does not give it."""


class Rate(NamedTuple):
    """A rate as a part of a whole, both columns. `conversion_base` is the denominator of the conversion rate."""

    part: str
    whole: str


RATES: dict[str, Rate] = {
    "click_to_delivered_rate": Rate("unique_clickers", "total_delivered"),
    "human_click_to_delivered_rate": Rate("human_unique_clickers", "total_delivered"),
    "conversion_rate": Rate("direct_orders", "conversion_base"),
    "delivery_rate": Rate("total_delivered", "total_sent"),
    "revenue_per_message": Rate("revenue", "total_sent"),
    "unsubscribe_rate": Rate("unsubscribes", "total_delivered"),
    "roi": Rate("profit", "cost"),
}
"""The columns that a campaign of few messages may lead by chance."""


class View(NamedTuple):
    """A named set of columns."""

    label: str
    columns: tuple[str, ...]


def _view(label: str, *names: str) -> View:
    return View(label, tuple(name for name in COLUMNS if name in (NAME, "last_sent_at", *names)))


STANDARD = _view(
    "Standard", "total_sent", "delivery_rate", "click_to_delivered_rate", "conversion_rate", "direct_orders", "revenue",
    "revenue_per_message", "cost", "unsubscribes",
)  # fmt: skip

VIEWS = (
    STANDARD,
    _view("Money", "direct_orders", "revenue", "revenue_per_message", "assisted_orders", "assisted_revenue", "cost",
          "profit", "roi"),
    _view("Response", "total_delivered", "total_clicks", "unique_clickers", "click_to_delivered_rate",
          "human_click_to_delivered_rate", "conversion_rate", "unsubscribes", "unsubscribe_rate"),
    _view("Delivery", "campaign_type", "total_sent", "total_delivered", "delivery_rate", "cost", "total_segments"),
    View("All columns", tuple(COLUMNS)),
)  # fmt: skip
"""The views that everybody has."""


def available_columns(published: Published) -> dict[str, MartColumn]:
    """The columns that the build has."""
    has_insights = published.has(INSIGHTS_SCHEMA, "campaign_economics")
    return {name: column for name, column in COLUMNS.items() if has_insights or name not in FROM_INSIGHTS}


def rows_sql(published: Published, available: Mapping[str, MartColumn]) -> str:
    """The query of a row per campaign with all columns, and those that rates are made of."""
    base = published.settings["conversion_rate_denominator"]
    query = (
        f"select metrics.*, metrics.{base} as conversion_base, total_delivered / nullif(total_sent, 0) as delivery_rate,"
        " (metrics.revenue / nullif(total_sent, 0))::double as revenue_per_message,"
        " 1000 * unsubscribes / nullif(total_delivered, 0) as unsubscribe_rate"
    )
    if not FROM_INSIGHTS.keys() <= available.keys():
        return f"{query} from {MARTS}.campaign_metrics as metrics"
    return (
        f"{query}, cost, profit, roi, coalesce(human_unique_clickers, 0) as human_unique_clickers,"
        " if(total_delivered > 0, coalesce(human_click_to_delivered_rate, 0), null) as human_click_to_delivered_rate"
        f" from {MARTS}.campaign_metrics as metrics"
        f" left join {INSIGHTS}.campaign_economics as economics using (campaign_id)"
        f" left join {INSIGHTS}.campaign_click_quality as quality using (campaign_id)"
    )
