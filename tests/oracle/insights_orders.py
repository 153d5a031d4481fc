"""Insights of the oracle over orders: models of attribution, and other conversion windows."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import floor

from tests.oracle.insight_facts import InsightFacts, total_revenue
from tests.oracle.rules import CENT, EXACT, Settings, grouped, rank, rate, total_of

MODELS = ("first", "last", "linear", "position", "time_decay")
TWELVE_PLACES = Decimal("0.000000000001")


def touches_of(order: dict, clicks: list[dict], settings: Settings) -> list[dict]:
    """The clicks of the order's contact in the window before it, in order."""
    opens_at = order["ordered_at"] - timedelta(hours=settings.conversion_window_hours)
    in_window = [click for click in clicks if opens_at <= click["clicked_at"] <= order["ordered_at"]]
    return sorted(in_window, key=lambda click: (click["clicked_at"], rank(click["click_id"])))


def weights_of(model: str, touches: list[dict], settings: Settings) -> list[Fraction]:
    """The weight of each touch; they add up to 1."""
    count = len(touches)
    if model == "first":
        return [Fraction(place == 0) for place in range(count)]
    if model == "last":
        return [Fraction(place == count - 1) for place in range(count)]
    if model == "linear" or (model == "position" and count <= 2):
        return [Fraction(1, count)] * count
    if model == "position":
        return [Fraction(2, 5), *[Fraction(1, 5 * (count - 2))] * (count - 2), Fraction(2, 5)]
    half_life = timedelta(hours=settings.attribution_half_life_hours)
    powers = [
        EXACT.power(2, EXACT.divide(*_whole(touch["clicked_at"] - touches[-1]["clicked_at"], half_life)))
        for touch in touches
    ]
    total = sum(powers, Decimal(0))
    rounded = [
        Fraction(EXACT.divide(power, total).quantize(TWELVE_PLACES, ROUND_HALF_UP, context=EXACT))
        for power in powers[:-1]
    ]
    return [*rounded, 1 - sum(rounded)]


def _whole(*durations: timedelta) -> list[Decimal]:
    return [Decimal(duration // timedelta(microseconds=1)) for duration in durations]


def shares_of(revenue: Decimal, weights: list[Fraction]) -> list[Decimal]:
    """A revenue divided by largest remainder: cents left over go to the greatest fractions, on a tie to the later touch."""
    cents = int(revenue / CENT)
    exact = [cents * weight for weight in weights]
    shares = [floor(share) for share in exact]
    by_fraction = sorted(range(len(exact)), key=lambda place: (exact[place] - shares[place], place), reverse=True)
    for place in by_fraction[: cents - sum(shares)]:
        shares[place] += 1
    return [share * CENT for share in shares]


def attribution_models(facts: InsightFacts) -> list[dict]:
    clicks = grouped(facts.clicks, "contact_id")
    return [
        row
        for order in facts.orders
        if (touches := touches_of(order, clicks.get((order["contact_id"],), []), facts.settings))
        for model in MODELS
        for row in _credited_by(model, order, touches, facts.settings)
    ]


def _credited_by(model: str, order: dict, touches: list[dict], settings: Settings) -> list[dict]:
    weights = weights_of(model, touches, settings)
    revenue = order["revenue"]
    shares = shares_of(revenue, weights) if revenue is not None else [None] * len(touches)
    places = defaultdict(list)
    for place, touch in enumerate(touches):
        places[touch["campaign_id"]].append(place)
    credited = {"first": touches[0]["campaign_id"], "last": touches[-1]["campaign_id"]}
    return [
        {
            "order_id": order["order_id"],
            "campaign_id": campaign_id,
            "model": model,
            "touches": len(of_campaign),
            "weight": float(sum(weights[place] for place in of_campaign)),
            "revenue": None if revenue is None else total_of(shares[place] for place in of_campaign),
        }
        for campaign_id, of_campaign in places.items()
        if credited.get(model, campaign_id) == campaign_id
    ]


def campaign_attribution(models: list[dict]) -> list[dict]:
    """One row per campaign and model of `attribution_models`."""
    revenues = {key: total_revenue(rows) for key, rows in grouped(models, "campaign_id", "model").items()}
    return [
        {
            "campaign_id": campaign_id,
            "model": model,
            "orders": len(rows),
            "credited_orders": sum(row["weight"] for row in rows),
            "revenue": revenues[campaign_id, model],
            "revenue_over_last": revenues[campaign_id, model] - revenues.get((campaign_id, "last"), Decimal("0.00")),
        }
        for (campaign_id, model), rows in grouped(models, "campaign_id", "model").items()
    ]


def windows_of(settings: Settings) -> list[int]:
    configured = {int(hours) for hours in settings.what_if_windows.split(",")}
    return sorted(configured | {settings.conversion_window_hours})


def campaign_metrics_by_window(facts: InsightFacts) -> list[dict]:
    metrics = facts.campaign_metrics()
    rows = []
    for hours in windows_of(facts.settings):
        credited = defaultdict(list)
        for order, attribution, click in facts.credited(
            facts.clicks, replace(facts.settings, conversion_window_hours=hours)
        ):
            credited[click["campaign_id"], attribution].append(order)
        for campaign in metrics:
            direct, assisted = (credited[campaign["campaign_id"], kind] for kind in ("direct", "assisted"))
            rows.append(
                {
                    "campaign_id": campaign["campaign_id"],
                    "window_hours": hours,
                    "direct_orders": len(direct),
                    "assisted_orders": len(assisted),
                    "revenue": total_revenue(direct),
                    "assisted_revenue": total_revenue(assisted),
                    "conversion_rate_by_clickers": rate(len(direct), campaign["unique_clickers"]),
                    "conversion_rate_by_delivered": rate(len(direct), campaign["total_delivered"]),
                    "conversion_rate_by_sent": rate(len(direct), campaign["total_sent"]),
                    "is_in_force": hours == facts.settings.conversion_window_hours,
                }
            )
    return rows
