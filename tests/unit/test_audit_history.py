"""Metrics beside earlier builds: an incident warns and is named; ordinary nights and short histories do not."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from models.check_results import BuildMetrics
from models.enums import Log
from models.marts import BASE_MARTS, DBT_MARTS
from quality.audit import anomalies
from quality.audit.anomalies import (
    COMPARISONS,
    MIN_BUILDS,
    ComparedMetric,
    Lag,
    Ratio,
    Share,
    Total,
    Volume,
    compare,
)
from quality.audit.expectations import ExpectationResults, check_expectations
from quality.audit.metrics import BuildFacts, compute_metrics, create_aggregates, freshness_metrics
from tests.unit.valid_marts import candidate, valid_marts

FIRST = date(2026, 1, 5)
NIGHTS = 15

A_NIGHT = {
    "campaign_metrics": {"campaigns": 8, "messages_sent": 10_000, "clicks": 400},
    "campaign_overview": {"contacts": 9_900, "unsubscribes": 20, "hard_bounces": 150},
    "delivery_status": {"contacts": 9_900, "contacts decided by twilio": 3_000, "contacts decided by sinch": 2_000},
    "skip_reasons": {"skipped_messages": 150, "messages": 10_150},
    "attributed_unsubscribes": {"unsubscribes": 20},
    "attributed_orders": {"orders": 120, "revenue": 7_000, "clicks": 400, "without_revenue": 3},
    "suppressed_numbers": {"numbers": 12, "contacts": 9_900},
    "campaigns": {"campaigns": 8},
    "unconverted_orders": {},
    "unmapped_receipts": {"messages": 12, "messages_sent": 10_000},
    "unmatched_events": {"receipts": 5, "messages_sent": 10_000, "clicks": 1, "clicks_of_all": 400},
    "campaign_clicks_hourly": {"clicks": 400},
    "campaign_economics": {"messages": 10_000, "costed": 9_800, "unconverted": 20, "cost": 150},
    "delivery_failures": {"failed": 260, "unknown": 50},
    "delivery_routes": {"delivered": 9_400, "clock_skewed": 4},
    "campaign_click_quality": {"clicks": 400, "bot_clicks": 60},
    "sent_after_opt_out": {"messages": 2, "messages_sent": 10_000},
}
"""By mart, what an ordinary night adds to its metrics."""

RECENT_METRICS = {
    "campaign_metrics": {
        "sends_rows_of_last_day": 10_200,
        "clicks_rows_of_last_day": 410,
        "unnamed_campaigns_lately_share": 0.02,
        "days_behind": 1,
        "last_sent_days_behind": 0,
        "sends_days_behind": 0,
        "clicks_days_behind": 0,
    },
    "delivery_status": {
        "receipts_rows_of_last_day": 19_000,
        "sent_lately": 9_900,
        "settled_lately": 19_800,
        "delivered_lately_share": 0.94,
        "pending_after_three_days_lately_share": 0.01,
        "expired_after_three_days_lately_share": 0.015,
        "receipts_days_behind": 0,
    },
    "attributed_unsubscribes": {"unsubscribes_days_behind": 0},
    "attributed_orders": {"orders_rows_of_last_day": 240, "orders_days_behind": 0},
    "campaigns": {"campaigns_days_behind": 0},
    "unconverted_orders": {"exchange_rates_days_behind": 0},
    "daily_totals": {
        "messages_lately": 70_000,
        "delivered_lately": 65_800,
        "clicks_lately": 2_800,
        "direct_orders_lately": 840,
        "revenue_lately": 49_000,
    },
    "figure_maturity": {"delivered": 120_000, "delivered_known_after_three_days_share": 0.99},
}
"""By mart, usual values of the metrics of the last day or days."""


def build(night: int, **changes: Mapping[str, float]) -> BuildMetrics:
    """The build of an ordinary night, each a little different. `changes` replace metrics, by mart."""
    wave = 1 + 0.03 * (night % 3 - 1)
    metrics = {}
    for mart in DBT_MARTS:
        added = {name: float(round(value * (night + 20 + wave))) for name, value in A_NIGHT.get(mart, {}).items()}
        metrics[mart] = added | RECENT_METRICS.get(mart, {}) | changes.get(mart, {})
    return BuildMetrics(f"build-{night}", FIRST + timedelta(days=night), metrics)


def published(nights: int = NIGHTS) -> list[BuildMetrics]:
    return [build(night) for night in range(nights)]


def out_of_range(candidate_build: BuildMetrics, earlier: list[BuildMetrics]) -> dict[str, ComparedMetric]:
    metrics_by_name = {}
    for mart in DBT_MARTS:
        for metric in compare(mart, candidate_build, earlier):
            if not metric.is_in_range:
                metrics_by_name[f"{mart}: {metric.name}"] = metric
    return metrics_by_name


def total(mart: str, metric: str, added: float) -> dict[str, dict[str, float]]:
    """The value of a metric if the last night added this."""
    return {mart: {metric: build(NIGHTS - 1).metrics[mart][metric] + added}}


INCIDENTS = {
    "receipts of a gateway stop coming": (
        {
            "delivery_status": {
                "pending_after_three_days_lately_share": 0.2,
                **total("delivery_status", "contacts decided by twilio", 0)["delivery_status"],
            }
        },
        {
            "delivery_status: pending_after_three_days_lately_share",
            "delivery_status: contacts decided by twilio_added_per_contacts_added",
        },
    ),
    "half of the sends file is missing": (
        {
            "campaign_metrics": {
                **total("campaign_metrics", "messages_sent", 5_000)["campaign_metrics"],
                "sends_rows_of_last_day": 5_100,
            },
            **total("unmatched_events", "receipts", 9_000),
        },
        {
            "campaign_metrics: messages_sent_added_a_day",
            "campaign_metrics: sends_rows_of_last_day",
            "unmatched_events: receipts_added_per_messages_sent_added",
        },
    ),
    "exchange rates are off by a hundred": (
        total("attributed_orders", "revenue", 700_000),
        {"attributed_orders: revenue_added_per_orders_added"},
    ),
    "a vocabulary was lost": (
        total("unmapped_receipts", "messages", 3_000),
        {"unmapped_receipts: messages_added_per_messages_sent_added"},
    ),
    "rows of a campaign are gone": (
        {"campaign_metrics": {"messages_sent": build(NIGHTS - 1).metrics["campaign_metrics"]["messages_sent"] * 0.9}},
        {"campaign_metrics: messages_sent", "campaign_metrics: messages_sent_added_a_day"},
    ),
    "nobody loaded anything for three days": (
        {"campaign_metrics": {"days_behind": 4}},
        {"campaign_metrics: days_behind"},
    ),
    "the orders log stopped": (
        {"attributed_orders": {"orders_days_behind": 3, "orders_rows_of_last_day": 0}},
        {"attributed_orders: orders_days_behind", "attributed_orders: orders_rows_of_last_day"},
    ),
    "the campaigns log lost its names": (
        {"campaign_metrics": {"unnamed_campaigns_lately_share": 0.6}},
        {"campaign_metrics: unnamed_campaigns_lately_share"},
    ),
    "orders have no revenue": (
        total("attributed_orders", "without_revenue", 100),
        {"attributed_orders: without_revenue_added_per_orders_added"},
    ),
    "the gateway no longer says what a message costs": (
        total("campaign_economics", "costed", 6_000),
        {"campaign_economics: costed_added_per_messages_added"},
    ),
    "a gateway writes new error codes": (
        total("delivery_failures", "unknown", 200),
        {"delivery_failures: unknown_added_per_failed_added"},
    ),
    "a scanner opens every link": (
        total("campaign_click_quality", "bot_clicks", 300),
        {"campaign_click_quality: bot_clicks_added_per_clicks_added"},
    ),
    "the clock of a gateway is wrong": (
        total("delivery_routes", "clock_skewed", 2_000),
        {"delivery_routes: clock_skewed_added_per_delivered_added"},
    ),
    "opt-outs are ignored": (
        total("sent_after_opt_out", "messages", 200),
        {"sent_after_opt_out: messages_added_per_messages_sent_added"},
    ),
    "no click is tracked any more": (
        {"daily_totals": {"clicks_lately": 0, "direct_orders_lately": 0}},
        {"daily_totals: clicks_lately", "daily_totals: direct_orders_lately"},
    ),
    "receipts come days late": (
        {"figure_maturity": {"delivered_known_after_three_days_share": 0.8}},
        {"figure_maturity: delivered_known_after_three_days_share"},
    ),
    "a burst": (
        {"campaign_metrics": {"sends_rows_of_last_day": 90_000}},
        {"campaign_metrics: sends_rows_of_last_day"},
    ),
}


def test_ordinary_nights_have_ranges_and_no_warning():
    for night in range(1, NIGHTS + 1):
        assert out_of_range(build(night), published(night)) == {}
    with_range = [
        metric for mart in DBT_MARTS for metric in compare(mart, build(NIGHTS), published()) if metric.has_range
    ]
    declared = sum(len(comparisons) for comparisons in COMPARISONS.values())
    # Metrics with small totals have no range.
    assert len(with_range) > 0.9 * declared


@pytest.mark.parametrize("incident", INCIDENTS)
def test_an_incident_is_named(incident):
    changes, expected_names = INCIDENTS[incident]
    assert out_of_range(build(NIGHTS, **_merged(changes)), published()).keys() >= expected_names


def _merged(changes: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {mart: dict(of_mart) for mart, of_mart in changes.items()}


@pytest.mark.parametrize(
    ("mart", "comparison"), [(mart, comparison) for mart, of_mart in COMPARISONS.items() for comparison in of_mart]
)
def test_every_comparison_can_warn(mart, comparison):
    last = build(NIGHTS - 1).metrics[mart]
    match comparison:
        case Total():
            earlier = [
                replace(earlier_build, metrics={mart: {comparison.metric: 20_000.0}}) for earlier_build in published()
            ]
            changed = {comparison.metric: 20_000 * comparison.min_share - 1}
        case Volume():
            earlier, changed = published(), {comparison.metric: 1.0 if comparison.is_daily else last[comparison.metric]}
        case Lag():
            earlier, changed = published(), {comparison.metric: last[comparison.metric] + comparison.margin + 0.5}
        case Share(whole=None):
            worse = comparison.margin * 2 if comparison.side == anomalies.HIGH else -comparison.margin * 2
            earlier, changed = published(), {comparison.part: last[comparison.part] + worse}
        case Share() | Ratio():
            whole_increase = build(NIGHTS).metrics[mart][comparison.whole] - last[comparison.whole]
            is_low = getattr(comparison, "side", anomalies.HIGH) == anomalies.LOW
            increase = 0 if is_low else whole_increase * 600
            earlier, changed = published(), {comparison.part: last[comparison.part] + increase}
    assert f"{mart}: {comparison.name}" in out_of_range(build(NIGHTS, **{mart: changed}), earlier)


def test_with_few_builds_only_shrinking_totals_warn():
    few = published(MIN_BUILDS)
    incident = {"campaign_metrics": {"sends_rows_of_last_day": 1, "days_behind": 30}}
    # Increases have one value less than there are builds.
    assert out_of_range(build(MIN_BUILDS, **incident), few).keys() == {
        "campaign_metrics: sends_rows_of_last_day",
        "campaign_metrics: days_behind",
    }
    assert out_of_range(build(MIN_BUILDS - 1, **incident), few[:-1]) == {}
    shrunk = {"campaign_metrics": {"messages_sent": 5.0}}
    assert "campaign_metrics: messages_sent" in out_of_range(build(1, **shrunk), few[:1])


def test_building_twice_a_day_does_not_count_twice():
    incident = {"campaign_metrics": {"sends_rows_of_last_day": 100}}
    earlier = published()
    bad = build(NIGHTS - 1, **incident)
    again = [replace(bad, build_id=f"again-{number}") for number in range(40)]
    mended = replace(earlier[-1], build_id="mended")
    assert out_of_range(build(NIGHTS, **incident), [*earlier, *again, mended]).keys() == {
        "campaign_metrics: sends_rows_of_last_day"
    }
    (metric,) = (
        metric
        for metric in compare("campaign_metrics", build(NIGHTS), [*earlier, *again, mended])
        if metric.name == "sends_rows_of_last_day"
    )
    assert len(metric.history) == NIGHTS
    assert min(value for _, value in metric.history) == 10_200


def test_the_candidate_is_compared_neither_with_itself_nor_with_later_dates():
    later = [build(night) for night in range(NIGHTS + 5)]
    compared_metrics = compare("campaign_metrics", build(NIGHTS), later)
    assert max(day for metric in compared_metrics for day, _ in metric.history) == FIRST + timedelta(days=NIGHTS - 1)


def test_a_low_volume_is_usual_on_a_quiet_weekday_and_warns_on_another():
    def rows(night: int) -> float:
        return 300.0 if (FIRST + timedelta(days=night)).weekday() == 6 else 10_000.0 + night

    earlier = [build(night, campaign_metrics={"sends_rows_of_last_day": rows(night)}) for night in range(27)]
    sunday = build(27, campaign_metrics={"sends_rows_of_last_day": 290.0})
    assert sunday.data_until.weekday() == 6
    assert out_of_range(sunday, earlier) == {}
    monday = build(28, campaign_metrics={"sends_rows_of_last_day": 290.0})
    assert out_of_range(monday, [*earlier, sunday]).keys() == {"campaign_metrics: sends_rows_of_last_day"}


def test_build_facts_give_freshness_metrics():
    facts = BuildFacts("b", FIRST, datetime(2026, 1, 8, 3), {Log.SENDS: (date(2026, 1, 3), 0)})
    assert freshness_metrics("campaign_metrics", facts) == {
        "days_behind": 3,
        "sends_days_behind": 2,
        "sends_rows_of_last_day": 0,
    }
    assert freshness_metrics("campaign_metrics", BuildFacts()) == {}


@pytest.mark.parametrize("mart", COMPARISONS)
def test_every_comparison_is_of_a_computed_metric(mart):
    facts = BuildFacts("b", FIRST, datetime(2026, 1, 8, 3), dict.fromkeys(Log, (FIRST, 1)))
    with candidate(valid_marts()) as connection:
        assert create_aggregates(connection, FIRST) == []
        computed = compute_metrics(connection, mart, facts).keys()
    for comparison in COMPARISONS[mart]:
        names = ("metric", "part", "whole", "share_of")
        assert {value for name in names if (value := getattr(comparison, name, None))} <= computed


def check(facts: BuildFacts, earlier: list[BuildMetrics]) -> ExpectationResults:
    with candidate(valid_marts()) as connection:
        return check_expectations(connection, BASE_MARTS, facts, earlier)


def test_great_expectations_warns_of_metrics_outside_the_range_of_earlier_builds():
    """End to end: the metrics of a candidate, suites made of its history, results with their rules."""
    facts = BuildFacts("new", FIRST, datetime(2026, 1, 6, 3), {Log.SENDS: (FIRST, 200)})
    metrics = check(facts, []).metrics
    assert metrics["delivery_status"]["contacts decided by twilio"] == 170
    earlier = [
        BuildMetrics(
            f"b{night}", FIRST - timedelta(days=10 - night), {**metrics, "campaign_metrics": dict(night_metrics)}
        )
        for night, night_metrics in enumerate([{**metrics["campaign_metrics"], "days_behind": 1.0}] * 10)
    ]
    assert [result.name for result in check(facts, earlier).results if not result.passed] == []
    late = check(replace(facts, audited_at=datetime(2026, 1, 10, 3)), earlier)
    (failed,) = (result for result in late.results if not result.passed)
    assert (failed.name, failed.is_blocking) == ("history_campaign_metrics", False)
    assert failed.detail == ("not met: the data is as fresh as before: days_behind is 5, usually at most 2.5")
    (rule,) = (rule for rule in failed.rules if not rule.passed)
    assert (rule.checked_rows, rule.failing_rows) == (1, 1)
    assert late.metrics["campaign_metrics"]["days_behind"] == 5
