"""Figures against those of earlier builds: an incident warns and is named, ordinary nights and short histories do not."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from models.build_metrics import BuildFigures
from models.enums import Log
from models.marts import DBT_MARTS
from quality.audit import anomalies
from quality.audit.anomalies import COMPARISONS, ENOUGH_BUILDS, Compared, Kept, Lag, Ratio, Share, Volume, compared
from quality.audit.expectations import Findings, check_expectations
from quality.audit.metrics import BuildFacts, LogFacts, of_facts
from tests.unit.valid_marts import SCHEMA, candidate, valid_marts

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
}
"""What an ordinary night adds, by mart."""

OF_LAST_DAYS = {
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
}
"""Figures of the last day or days, as they ordinarily are."""


def build(night: int, **changes: Mapping[str, float]) -> BuildFigures:
    """An ordinary build of a night, a little different each; changes are by mart, on top of its figures."""
    wave = 1 + 0.03 * (night % 3 - 1)
    figures = {}
    for mart in DBT_MARTS:
        added = {name: float(round(value * (night + 20 + wave))) for name, value in A_NIGHT[mart].items()}
        figures[mart] = added | OF_LAST_DAYS.get(mart, {}) | changes.get(mart, {})
    return BuildFigures(f"build-{night}", FIRST + timedelta(days=night), figures)


def published(nights: int = NIGHTS) -> list[BuildFigures]:
    return [build(night) for night in range(nights)]


def out_of_range(of_build: BuildFigures, earlier: list[BuildFigures]) -> dict[str, Compared]:
    found = {}
    for mart in DBT_MARTS:
        for figure in compared(mart, of_build, earlier):
            too_low = figure.least is not None and figure.value < figure.least
            if too_low or (figure.most is not None and figure.value > figure.most):
                found[f"{mart}: {figure.name}"] = figure
    return found


def total(mart: str, figure: str, added: float) -> dict[str, dict[str, float]]:
    """What a figure comes to if the last night added this."""
    return {mart: {figure: build(NIGHTS - 1).figures[mart][figure] + added}}


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
        {"campaign_metrics": {"messages_sent": build(NIGHTS - 1).figures["campaign_metrics"]["messages_sent"] * 0.9}},
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
    "a burst": (
        {"campaign_metrics": {"sends_rows_of_last_day": 90_000}},
        {"campaign_metrics: sends_rows_of_last_day"},
    ),
}


def test_ordinary_nights_warn_of_nothing_and_are_judged():
    for night in range(1, NIGHTS + 1):
        assert out_of_range(build(night), published(night)) == {}
    judged = [figure for mart in DBT_MARTS for figure in compared(mart, build(NIGHTS), published()) if figure.has_norm]
    declared = sum(len(comparisons) for comparisons in COMPARISONS.values())
    # Few campaigns a night, small totals: what there is too little of is not judged.
    assert len(judged) > 0.9 * declared


@pytest.mark.parametrize("incident", INCIDENTS)
def test_an_incident_is_named(incident):
    changes, named = INCIDENTS[incident]
    assert out_of_range(build(NIGHTS, **_merged(changes)), published()).keys() >= named


def _merged(changes: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {mart: dict(of_mart) for mart, of_mart in changes.items()}


@pytest.mark.parametrize(
    ("mart", "comparison"), [(mart, comparison) for mart, of_mart in COMPARISONS.items() for comparison in of_mart]
)
def test_every_comparison_is_seen_to_warn(mart, comparison):
    last = build(NIGHTS - 1).figures[mart]
    match comparison:
        case Kept():
            earlier = [replace(of, figures={mart: {comparison.figure: 20_000.0}}) for of in published()]
            changed = {comparison.figure: 20_000 * comparison.least - 1}
        case Volume():
            earlier, changed = published(), {comparison.figure: 1.0 if comparison.of_a_day else last[comparison.figure]}
        case Lag():
            earlier, changed = published(), {comparison.figure: last[comparison.figure] + comparison.margin + 0.5}
        case Share(whole=None):
            worse = comparison.margin * 2 if comparison.sides == anomalies.HIGH else -comparison.margin * 2
            earlier, changed = published(), {comparison.part: last[comparison.part] + worse}
        case Share() | Ratio():
            of_whole = build(NIGHTS).figures[mart][comparison.whole] - last[comparison.whole]
            earlier, changed = published(), {comparison.part: last[comparison.part] + of_whole * 600}
    assert f"{mart}: {comparison.name}" in out_of_range(build(NIGHTS, **{mart: changed}), earlier)


def test_with_few_builds_only_what_shrinks_is_told():
    few = published(ENOUGH_BUILDS)
    incident = {"campaign_metrics": {"sends_rows_of_last_day": 1, "days_behind": 30}}
    # So many builds, and one date less of what was added since the date before.
    assert out_of_range(build(ENOUGH_BUILDS, **incident), few).keys() == {
        "campaign_metrics: sends_rows_of_last_day",
        "campaign_metrics: days_behind",
    }
    assert out_of_range(build(ENOUGH_BUILDS - 1, **incident), few[:-1]) == {}
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
    (figure,) = (
        figure
        for figure in compared("campaign_metrics", build(NIGHTS), [*earlier, *again, mended])
        if figure.name == "sends_rows_of_last_day"
    )
    assert len(figure.earlier) == NIGHTS
    assert min(value for _, value in figure.earlier) == 10_200


def test_the_candidate_is_not_held_against_itself_nor_against_later_dates():
    later = [build(night) for night in range(NIGHTS + 5)]
    found = compared("campaign_metrics", build(NIGHTS), later)
    assert max(day for figure in found for day, _ in figure.earlier) == FIRST + timedelta(days=NIGHTS - 1)


def test_a_quiet_day_of_the_week_is_no_news_but_the_same_on_another_day_is():
    def rows(night: int) -> float:
        return 300.0 if (FIRST + timedelta(days=night)).weekday() == 6 else 10_000.0 + night

    earlier = [build(night, campaign_metrics={"sends_rows_of_last_day": rows(night)}) for night in range(27)]
    sunday = build(27, campaign_metrics={"sends_rows_of_last_day": 290.0})
    assert sunday.data_until.weekday() == 6
    assert out_of_range(sunday, earlier) == {}
    monday = build(28, campaign_metrics={"sends_rows_of_last_day": 290.0})
    assert out_of_range(monday, [*earlier, sunday]).keys() == {"campaign_metrics: sends_rows_of_last_day"}


def test_facts_of_a_build_become_figures():
    facts = BuildFacts("b", FIRST, datetime(2026, 1, 8, 3), {Log.SENDS: LogFacts(date(2026, 1, 3), 0)})
    assert of_facts("campaign_metrics", facts) == {
        "days_behind": 3,
        "sends_days_behind": 2,
        "sends_rows_of_last_day": 0,
    }
    assert of_facts("campaign_metrics", BuildFacts()) == {}


def audited(facts: BuildFacts, earlier: list[BuildFigures]) -> Findings:
    with candidate(valid_marts()) as connection:
        return check_expectations(connection, SCHEMA, facts, earlier)


def test_great_expectations_warns_of_what_is_unlike_the_history():
    """The whole way: figures of a candidate, suites made of its history, results with their rules."""
    facts = BuildFacts("new", FIRST, datetime(2026, 1, 6, 3), {Log.SENDS: LogFacts(FIRST, 200)})
    figures = audited(facts, []).figures
    assert figures["delivery_status"]["contacts decided by twilio"] == 170
    earlier = [
        BuildFigures(f"b{night}", FIRST - timedelta(days=10 - night), {**figures, "campaign_metrics": dict(of_night)})
        for night, of_night in enumerate([{**figures["campaign_metrics"], "days_behind": 1.0}] * 10)
    ]
    assert [result.name for result in audited(facts, earlier).results if not result.passed] == []
    late = audited(replace(facts, audited_at=datetime(2026, 1, 10, 3)), earlier)
    (failed,) = (result for result in late.results if not result.passed)
    assert (failed.name, failed.is_blocking) == ("history_campaign_metrics", False)
    assert failed.detail == (
        "not so: data is as fresh as it usually is: days_behind is 5, ordinarily at most 2.5"
        " (expect_column_values_to_be_between(days_behind))"
    )
    (rule,) = (rule for rule in failed.rules if not rule.passed)
    assert (rule.looked_at, rule.failing) == (1, 1)
    assert late.figures["campaign_metrics"]["days_behind"] == 5
