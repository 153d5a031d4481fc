"""What a campaign cost and earned, the orders that are not in its revenue, and what other rules would credit to it.

Not here: its clicks and orders over time (`reports.queries.campaign`), its contacts (`reports.queries.of_campaign.people`).
"""

from decimal import Decimal

from models.enums import Attribution, ConversionRateDenominator
from reports.database import INSIGHTS, Published, Row
from reports.queries import notices
from reports.queries.compare import time_words
from reports.queries.notices import Unconverted
from reports.words import ATTRIBUTION_MODELS


def unconverted(published: Published, campaign_id: str) -> list[Unconverted]:
    """The campaign's orders that could not be converted, the direct ones first."""
    found = (
        notices.unconverted(published, "orders.campaign_id = $campaign_id", {"campaign_id": campaign_id}, attribution)
        for attribution in (Attribution.DIRECT, Attribution.ASSISTED)
    )
    return [orders for orders in found if orders]


def economics(published: Published, campaign_id: str) -> Row | None:
    """The campaign's row of `campaign_economics`; None before it is sent."""
    rows = published.rows(
        f"select * from {INSIGHTS}.campaign_economics where campaign_id = $campaign_id", {"campaign_id": campaign_id}
    )
    return rows[0] if rows else None


_CONVERSION_RATES = {
    ConversionRateDenominator.UNIQUE_CLICKERS: "conversion_rate_by_clickers",
    ConversionRateDenominator.TOTAL_DELIVERED: "conversion_rate_by_delivered",
    ConversionRateDenominator.TOTAL_SENT: "conversion_rate_by_sent",
}


def by_window(published: Published, campaign_id: str) -> list[Row]:
    """Orders and revenue under each conversion window, in `words`, the shortest first; the conversion rate is that in force."""
    rows = published.rows(
        f"select * from {INSIGHTS}.campaign_metrics_by_window where campaign_id = $campaign_id order by window_hours",
        {"campaign_id": campaign_id},
    )
    rate = _CONVERSION_RATES[ConversionRateDenominator(published.settings["conversion_rate_denominator"])]
    return [{**row, "words": time_words(row["window_hours"] * 60), "conversion_rate": row[rate]} for row in rows]


def by_model(published: Published, campaign_id: str) -> list[Row]:
    """What each model of attribution, in `words`, credits to the campaign. A model that credits nothing has zeros."""
    rows = published.rows(
        f"select model, orders, credited_orders, revenue, revenue_over_last from {INSIGHTS}.campaign_attribution"
        " where campaign_id = $campaign_id",
        {"campaign_id": campaign_id},
    )
    if not rows:
        return []
    by_name = {row["model"]: row for row in rows}
    last = by_name["last"]["revenue"] if "last" in by_name else Decimal(0)
    nothing = {"orders": 0, "credited_orders": 0.0, "revenue": Decimal(0), "revenue_over_last": -last}
    return [
        {**nothing, **by_name.get(model, {}), "model": model, "words": words}
        for model, words in ATTRIBUTION_MODELS.items()
    ]
