"""The insights of the oracle: all 16 tables from accepted rows, and those that are summed over all campaigns.

Not here: tables by campaign (`insights_delivery`, `insights_clicks`, `insights_orders`).
"""

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from math import sqrt

from tests.oracle.insight_facts import COST, DAY, FAILED, InsightFacts, ratio, total_cost, total_revenue
from tests.oracle.insights_clicks import campaign_click_quality, campaign_links, campaign_response, click_quality
from tests.oracle.insights_delivery import (
    campaign_economics,
    delivery_failures,
    delivery_incidents,
    delivery_routes,
    sent_after_opt_out,
)
from tests.oracle.insights_orders import attribution_models, campaign_attribution, campaign_metrics_by_window
from tests.oracle.rules import Settings, Vocabulary, grouped, load_vocabulary, suppressing_message

Z = 1.959963984540054
FIGURES = ("delivered", "failed", "clicks", "direct_orders")
AGES = range(15)
COHORT_DAYS = 90
CLICKING = timedelta(hours=72)


def compute_insights(
    rows: dict[str, list[dict]], settings: Settings | None = None, vocabulary: Vocabulary | None = None
) -> dict[str, list[dict]]:
    """The tables of the schema `insights`, from accepted rows, which may be repeated."""
    facts = InsightFacts(rows, settings or Settings(), load_vocabulary() if vocabulary is None else vocabulary)
    models = attribution_models(facts)
    return {
        "campaign_economics": campaign_economics(facts),
        "delivery_failures": delivery_failures(facts),
        "delivery_routes": delivery_routes(facts),
        "delivery_incidents": delivery_incidents(facts),
        "click_quality": click_quality(facts),
        "campaign_click_quality": campaign_click_quality(facts),
        "campaign_links": campaign_links(facts),
        "campaign_response": campaign_response(facts),
        "attribution_models": models,
        "campaign_attribution": campaign_attribution(models),
        "contact_pressure": contact_pressure(facts),
        "daily_totals": daily_totals(facts),
        "campaign_metrics_by_window": campaign_metrics_by_window(facts),
        "suppression_what_if": suppression_what_if(facts),
        "figure_maturity": figure_maturity(facts),
        "sent_after_opt_out": sent_after_opt_out(facts),
    }


def wilson_interval(successes: int, trials: int) -> tuple[float | None, float | None]:
    """Without continuity correction; more successes than trials count as all."""
    if trials == 0:
        return None, None
    successes = min(successes, trials)
    share = successes / trials
    center = share + Z * Z / (2 * trials)
    half = Z * sqrt(share * (1 - share) / trials + Z * Z / (4 * trials * trials))
    scale = 1 + Z * Z / trials
    low = 0.0 if successes == 0 else (center - half) / scale
    high = 1.0 if successes == trials else (center + half) / scale
    return low, high


def contact_pressure(facts: InsightFacts) -> list[dict]:
    clicking = {
        click["message"]["message_id"]
        for click in facts.clicks
        if click["rule"] is None and click["message"] and click["after"] <= CLICKING
    }
    unsubscribed = {message["message_id"] for _, message in facts.unsubscribed}
    orders = defaultdict(list)
    for order, click in facts.direct:
        if click["message"]:
            orders[click["message"]["message_id"]].append(order)
    mature = [
        message | {"campaign_type": facts.campaign_type(message["campaign_id"])}
        for message in facts.sent
        if message["is_mature"]
    ]
    groups = grouped(mature, "campaign_type", "messages_before")
    rows = []
    for campaign_type in {message["campaign_type"] for message in mature}:
        for before in range(8):
            messages = groups.get((campaign_type, before), [])
            ids = {message["message_id"] for message in messages}
            delivered = sum(message["status"] == "delivered" for message in messages)
            bought = [order for message_id in ids for order in orders[message_id]]
            low, high = wilson_interval(len(ids & unsubscribed), delivered)
            rows.append(
                {
                    "campaign_type": campaign_type,
                    "messages_before": before,
                    "messages": len(messages),
                    "delivered": delivered,
                    "clicking": len(ids & clicking),
                    "unsubscribes": len(ids & unsubscribed),
                    "direct_orders": len(bought),
                    "revenue": total_revenue(bought),
                    "cost": total_cost(messages),
                    "click_rate": ratio(len(ids & clicking), delivered),
                    "unsubscribe_rate": ratio(len(ids & unsubscribed), delivered),
                    "revenue_per_delivered": ratio(total_revenue(bought), delivered),
                    "unsubscribe_low": low,
                    "unsubscribe_high": high,
                }
            )
    return rows


def daily_totals(facts: InsightFacts) -> list[dict]:
    totals: dict[tuple, Counter] = defaultdict(Counter)

    def add(row: dict, clock: str, moment, **amounts: Decimal | int) -> None:
        day, campaign_id = facts.report_day(moment), row["campaign_id"]
        totals[day, facts.campaign_type(campaign_id), clock].update(amounts)

    for message in facts.sent:
        cost = message["converted_cost"] or Decimal(0)
        status = {"delivered": "delivered"} | dict.fromkeys(FAILED, "failed")
        for clock in ("sent", "event"):
            add(message, clock, message["sent_at"], messages=1, segments=message["segments"], cost=cost)
            if message["status"] in status:
                moment = message["sent_at"] if clock == "sent" else message["status_at"]
                add(message, clock, moment, **{status[message["status"]]: 1})
    events = [(click, click["message"], click["clicked_at"], {"clicks": 1}) for click in facts.clicks]
    events += [(message, message, row["unsubscribed_at"], {"unsubscribes": 1}) for row, message in facts.unsubscribed]
    events += [
        (click, click["message"], order["ordered_at"], {"direct_orders": 1, "revenue": order["revenue"] or Decimal(0)})
        for order, click in facts.direct
    ]
    for row, message, moment, amounts in events:
        if row["campaign_id"] in facts.campaign_ids:
            add(row, "event", moment, **amounts)
            if message:
                add(row, "sent", message["sent_at"], **amounts)
    counts = ("messages", "delivered", "failed", "segments", "clicks", "unsubscribes", "direct_orders")
    return [
        {"day": day, "campaign_type": campaign_type, "clock": clock}
        | {column: total[column] for column in counts}
        | {"cost": COST * 0 + total["cost"], "revenue": Decimal("0.00") + total["revenue"]}
        for (day, campaign_type, clock), total in totals.items()
    ]


def suppression_what_if(facts: InsightFacts) -> list[dict]:
    by_number = list(grouped(facts.sent, "mobile_number").values())
    orders = defaultdict(list)
    for order, click in facts.direct:
        if click["message"]:
            orders[click["message"]["message_id"]].append(order)
    # Silent: a setting above 10 where suppression is off. It has its row, which is not in force.
    in_force = facts.settings.hard_bounces_to_suppress
    rows = []
    for hard_bounces in sorted({*range(1, 11), in_force}):
        wanted = replace(facts.settings, hard_bounces_to_suppress=hard_bounces)
        suppressing = [(suppressing_message(messages, wanted), messages) for messages in by_number]
        after = [
            message
            for completed_by, messages in suppressing
            if completed_by
            for message in messages
            if message["sent_at"] > completed_by["status_at"]
        ]
        bought = [order for message in after for order in orders[message["message_id"]]]
        rows.append(
            {
                "hard_bounces": hard_bounces,
                "numbers": sum(completed_by is not None for completed_by, _ in suppressing),
                "messages_after": len(after),
                "delivered_after": sum(message["status"] == "delivered" for message in after),
                "segments_after": sum(message["segments"] for message in after),
                "cost_after": total_cost(after) or COST * 0,
                "direct_orders_after": len(bought),
                "revenue_after": total_revenue(bought),
                "is_in_force": facts.settings.hard_bounce_suppression and hard_bounces == in_force,
            }
        )
    return rows


def figure_maturity(facts: InsightFacts) -> list[dict]:
    known_at = _known_at(facts)
    rows = []
    for figure in FIGURES:
        in_cohort = [
            (day, message["day"])
            for day, message in known_at[figure]
            if _is_in_cohort(message["day"], facts.data_until)
        ]
        for age in AGES:
            known = sum(day <= sent_day + age * DAY for day, sent_day in in_cohort)
            rows.append(
                {
                    "figure": figure,
                    "age_days": age,
                    "known": known,
                    "final": len(in_cohort),
                    "share": ratio(known, len(in_cohort)),
                }
            )
    return rows


def _is_in_cohort(day: date, data_until: date) -> bool:
    return day + AGES[-1] * DAY <= data_until < day + (AGES[-1] + COHORT_DAYS) * DAY


def _known_at(facts: InsightFacts) -> dict[str, list[tuple[date, dict]]]:
    """For every figure, the log date at which each of what it counts was known, and its message."""
    dates = facts.first_log_dates
    delivered_at: dict[str, date] = {}
    for receipt in facts.receipts:
        if receipt["status"] == "delivered":
            message_id = receipt["message_id"]
            day = dates["receipts"][_receipt_key(receipt)]
            delivered_at[message_id] = min(day, delivered_at.get(message_id, day))
    known: dict[str, list[tuple[date, dict]]] = {
        "delivered": [
            (delivered_at[message["message_id"]], message) for message in facts.sent if message["status"] == "delivered"
        ],
        "failed": [
            (dates["receipts"][_receipt_key(message["receipt"])], message)
            for message in facts.sent
            if message["status"] in FAILED
        ],
        "clicks": [
            (dates["clicks"][(click["click_id"],)], click["message"]) for click in facts.clicks if click["message"]
        ],
        "direct_orders": [
            (dates["orders"][(order["order_id"],)], click["message"])
            for order, click in facts.direct
            if click["message"]
        ],
    }
    return {
        figure: [(max(day, message["first_log_date"]), message) for day, message in events]
        for figure, events in known.items()
    }


def _receipt_key(receipt: dict) -> tuple:
    return tuple(
        receipt[column] for column in ("message_id", "provider", "provider_status", "error_code", "occurred_at")
    )
