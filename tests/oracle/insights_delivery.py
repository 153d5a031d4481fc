"""Insights of the oracle over messages: cost, failures, routes, incidents, messages after an opt-out."""

from collections.abc import Iterator
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import ceil, sqrt

from tests.oracle.clicks import milliseconds
from tests.oracle.insight_facts import COST, DAY, FAILED, InsightFacts, ratio, total_cost
from tests.oracle.references import reason_of
from tests.oracle.rules import CENT, EXACT, greatest, grouped
from tests.oracle.values import ascii_lower

PERCENTILES = {"p50_ms": 50, "p90_ms": 90, "p95_ms": 95, "p99_ms": 99, "max_ms": 100}
BASELINE_DAYS = 28


def campaign_economics(facts: InsightFacts) -> list[dict]:
    sends = {row["campaign_id"]: row["unique_sends"] for row in facts.campaign_overview()}
    return [_economics_of(facts, metrics, sends[metrics["campaign_id"]]) for metrics in facts.campaign_metrics()]


def _economics_of(facts: InsightFacts, metrics: dict, unique_sends: int) -> dict:
    messages = facts.by_campaign.get((metrics["campaign_id"],), [])
    states = [message["cost_state"] for message in messages]
    cost, revenue = total_cost(messages), metrics["revenue"]
    orders = [order for order, _ in facts.direct_by_campaign[metrics["campaign_id"]] if order["revenue"] is not None]

    def part(*statuses: str) -> Decimal | None:
        if cost is None:
            return None
        return total_cost(message for message in messages if message["status"] in statuses) or COST * 0

    return {
        "campaign_id": metrics["campaign_id"],
        "messages_costed": states.count("converted"),
        "messages_cost_unconverted": states.count("unconverted"),
        "messages_without_cost": states.count("none"),
        "cost_coverage": ratio(states.count("converted"), metrics["total_sent"]),
        "cost": cost,
        "cost_of_delivered": part("delivered"),
        "cost_of_failed": part(*FAILED),
        "cost_of_pending": part("pending"),
        "cost_per_message": ratio(cost, states.count("converted")),
        "cost_per_delivered": ratio(cost, metrics["total_delivered"]),
        "cost_per_unique_clicker": ratio(cost, metrics["unique_clickers"]),
        "cost_per_direct_order": ratio(cost, metrics["direct_orders"]),
        "revenue": revenue,
        "profit": None if cost is None else EXACT.subtract(revenue, cost.quantize(CENT, ROUND_HALF_UP, context=EXACT)),
        "roi": None if cost is None else ratio(EXACT.subtract(revenue, cost), cost),
        "revenue_per_message": ratio(revenue, metrics["total_sent"]),
        "revenue_per_delivered": ratio(revenue, metrics["total_delivered"]),
        "revenue_per_recipient": ratio(revenue, unique_sends),
        "average_order_value": ratio(revenue, len(orders)),
        "segments_per_message": ratio(metrics["total_segments"], metrics["total_sent"]),
    }


def _reason_of(message: dict) -> tuple[str, bool | None, str | None]:
    receipt = message["receipt"]
    return reason_of(receipt["provider"], receipt["provider_status"], receipt["error_code"])


def delivery_failures(facts: InsightFacts) -> list[dict]:
    failed = [
        message
        | {"provider": ascii_lower(message["receipt"]["provider"])}
        | {column: message["receipt"][column] for column in ("provider_status", "error_code")}
        for message in facts.sent
        if message["status"] in FAILED
    ]
    of_campaign = grouped(failed, "campaign_id")
    rows = []
    grain = ("campaign_id", "status", "provider", "provider_status", "error_code")
    for key, messages in grouped(failed, *grain).items():
        campaign_id, status, provider, provider_status, error_code = key
        reason, is_permanent, advice = _reason_of(messages[0])
        rows.append(
            {
                "campaign_id": campaign_id,
                "delivery_status": status,
                "provider": provider,
                "provider_status": provider_status,
                "error_code": error_code,
                "reason": reason,
                "is_permanent": is_permanent,
                "advice": advice,
                "messages": len(messages),
                "contacts": len({message["contact_id"] for message in messages}),
                "share_of_failures": ratio(len(messages), len(of_campaign[(campaign_id,)])),
                "cost": total_cost(messages),
                "first_status_at": min(message["status_at"] for message in messages),
                "last_status_at": max(message["status_at"] for message in messages),
            }
        )
    return rows


def nearest_rank(values: list[int], percent: int) -> int | None:
    """The value at the place ceil(q * n) of n values in ascending order."""
    return sorted(values)[ceil(Fraction(percent * len(values), 100)) - 1] if values else None


def delivery_routes(facts: InsightFacts) -> list[dict]:
    rows = []
    for key, messages in grouped(facts.sent, "campaign_id", "country", "provider_shown").items():
        statuses = [message["status"] for message in messages]
        delivered = [message for message in messages if message["status"] == "delivered"]
        times = [milliseconds(message["status_at"] - message["sent_at"]) for message in delivered]
        timed = [
            time for time, message in zip(times, delivered, strict=True) if message["status_at"] >= message["sent_at"]
        ]
        without_receipt = sum(not message["has_receipt"] for message in messages)
        rows.append(
            dict(zip(("campaign_id", "country", "provider"), key, strict=True))
            | {
                "messages": len(messages),
                "delivered": len(delivered),
                "pending": statuses.count("pending"),
                "soft_bounces": statuses.count("soft_bounce"),
                "hard_bounces": statuses.count("hard_bounce"),
                "deleted": statuses.count("deleted"),
                "without_receipt": without_receipt,
                "receipt_ratio": ratio(len(messages) - without_receipt, len(messages)),
                "final_ratio": ratio(len(messages) - statuses.count("pending"), len(messages)),
                "delivery_rate": ratio(len(delivered), len(messages)),
                "segments": sum(message["segments"] for message in messages),
                "cost": total_cost(messages),
                "timed": len(timed),
                "clock_skewed": len(delivered) - len(timed),
                "within_10_s": sum(time <= 10_000 for time in timed),
                "within_60_s": sum(time <= 60_000 for time in timed),
                "within_1_h": sum(time <= 3_600_000 for time in timed),
            }
            | {column: nearest_rank(timed, percent) for column, percent in PERCENTILES.items()}
        )
    return rows


def delivery_incidents(facts: InsightFacts) -> list[dict]:
    last_day = facts.last_mature_day
    if last_day is None:
        return []
    rows = []
    for (provider, country), messages in grouped(facts.sent, "provider_shown", "country").items():
        of_day = {day: on_day for (day,), on_day in grouped(messages, "day").items() if day <= last_day}
        for days in _runs(of_day):
            hit = [message for day, _ in days for message in of_day[day]]
            failed = [message for message in hit if message["status"] in FAILED]
            expected = sum(tested.n1 * tested.baseline for _, tested in days)
            reasons = [_reason_of(message)[0] for message in failed]
            rows.append(
                {
                    "provider": provider,
                    "country": country,
                    "first_day": days[0][0],
                    "last_day": days[-1][0],
                    "days": len(days),
                    "messages": len(hit),
                    "failed": len(failed),
                    "expected_failed": float(expected),
                    "excess_failed": float(len(failed) - expected),
                    "failure_rate": ratio(len(failed), len(hit)),
                    "baseline_rate": float(days[0][1].baseline),
                    "peak_score": max(tested.score for _, tested in days),
                    "top_reason": min(reasons, key=lambda reason: (-reasons.count(reason), reason.encode())),
                    "campaigns": len({message["campaign_id"] for message in hit}),
                    "is_open": days[-1][0] == last_day,
                }
            )
    return rows


class _Tested:
    """A day of a series beside its baseline."""

    def __init__(self, day: list[dict], baseline: list[dict]):
        self.n1, n0 = len(day), len(baseline)
        x1, x0 = (sum(message["status"] in FAILED for message in messages) for messages in (day, baseline))
        self.is_incident, self.score = False, 0.0
        if self.n1 < 100 or n0 < 1000:
            return
        self.baseline = Fraction(x0, n0)
        excess = Fraction(x1, self.n1) - self.baseline
        p = Fraction(x1 + x0, self.n1 + n0)
        if 0 < p < 1:
            squared = excess**2 / (p * (1 - p) * (Fraction(1, self.n1) + Fraction(1, n0)))
            self.score = sqrt(squared) * (1 if excess > 0 else -1)
            self.is_incident = squared >= 16 and excess >= Fraction(3, 100)


def _runs(of_day: dict[date, list[dict]]) -> Iterator[list[tuple[date, _Tested]]]:
    """The incidents of a series: days that follow each other in the calendar."""
    run: list[tuple[date, _Tested]] = []
    for day in sorted(of_day):
        before = [message for back in range(1, BASELINE_DAYS + 1) for message in of_day.get(day - back * DAY, [])]
        tested = _Tested(of_day[day], before)
        if run and (not tested.is_incident or run[-1][0] + DAY != day):
            yield run
            run = []
        if tested.is_incident:
            run.append((day, tested))
    if run:
        yield run


def sent_after_opt_out(facts: InsightFacts) -> list[dict]:
    opt_outs = grouped(facts.kept["unsubscribes"], "contact_id")
    rows = []
    for message in facts.sent:
        before = [
            row for row in opt_outs.get((message["contact_id"],), []) if row["unsubscribed_at"] < message["sent_at"]
        ]
        if before:
            unsubscribed_at = greatest(before, "unsubscribed_at")["unsubscribed_at"]
            rows.append(
                {column: message[column] for column in ("message_id", "campaign_id", "contact_id", "sent_at")}
                | {
                    "unsubscribed_at": unsubscribed_at,
                    "after_ms": milliseconds(message["sent_at"] - unsubscribed_at),
                    "delivery_status": message["status"],
                }
            )
    return rows
