"""The insights of the oracle: held to the case, and to corners of the rules that the case leaves out."""

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from tests.oracle.admission import read_landing
from tests.oracle.clicks import classified, link_of
from tests.oracle.compare import differences, read_mart
from tests.oracle.insights import compute_insights, wilson_interval
from tests.oracle.insights_clicks import bucket_of
from tests.oracle.insights_delivery import nearest_rank
from tests.oracle.insights_orders import shares_of, weights_of
from tests.oracle.landing_zones import write_landing_zone
from tests.oracle.marts import compute
from tests.oracle.references import country_of, is_agent_of_bot, reason_of
from tests.oracle.rules import Settings

CASE = Path(__file__).parents[1] / "cases" / "insights"
START = datetime(2026, 1, 5)


@pytest.fixture(scope="module")
def rows() -> dict[str, list[dict]]:
    return read_landing(CASE / "landing").rows


def test_insights_of_the_case_come_out_exactly(rows):
    insights = compute_insights(rows)
    assert set(insights) == {path.stem for path in (CASE / "insights").glob("*.csv")}
    assert {
        table: wrong for table, of_table in insights.items() if (wrong := _wrong("insights", table, of_table))
    } == {}


def test_marts_of_the_case_come_out_exactly(rows):
    marts = {mart: of_mart for mart, of_mart in compute(rows).items() if (CASE / "marts" / f"{mart}.csv").exists()}
    assert {mart: wrong for mart, of_mart in marts.items() if (wrong := _wrong("marts", mart, of_mart))} == {}
    assert len(marts) > 10


def _wrong(folder: str, table: str, actual: list[dict]) -> list[str]:
    expected = read_mart(CASE / folder / f"{table}.csv")
    columns = set(actual[0]) ^ set(expected[0]) if folder == "insights" and actual and expected else set()
    return differences(expected, actual) + [f"column of one only: {column}" for column in sorted(columns)]


def test_without_rows_only_the_tables_of_fixed_length_have_rows():
    insights = compute_insights({})
    lengths = {table: len(of_table) for table, of_table in insights.items() if of_table}
    assert lengths == {"suppression_what_if": 10, "figure_maturity": 60}
    assert {row["share"] for row in insights["figure_maturity"]} == {None}


def test_without_bots_the_marts_know_nothing_of_their_clicks_but_the_tables_of_quality_do(rows):
    settings = Settings(bot_clicks="exclude")
    marts, insights = compute(rows, settings), compute_insights(rows, settings)
    bots = {row["click_id"] for row in insights["click_quality"] if row["is_bot"]}
    assert bots
    credited = {row["click_id"] for row in marts["attributed_orders"]}
    assert credited
    assert not credited & bots
    of_campaign = {row["campaign_id"]: row for row in insights["campaign_click_quality"]}
    for row in marts["campaign_metrics"]:
        if row["campaign_id"] in of_campaign:
            assert row["total_clicks"] == of_campaign[row["campaign_id"]]["human_clicks"]
    counted = compute_insights(rows)
    assert differences(counted["click_quality"], insights["click_quality"]) == []
    assert differences(counted["campaign_click_quality"], insights["campaign_click_quality"]) == []


def test_a_landing_zone_with_a_crowd_has_whatever_the_rules_tell_apart(tmp_path):
    write_landing_zone(tmp_path, 3, stories=60, crowd=True)
    insights = compute_insights(read_landing(tmp_path).rows)
    assert all(insights.values())
    assert {row["rule"] for row in insights["click_quality"]} == {None, "user_agent", "too_fast", "sweep"}
    assert {row["is_before_delivery"] for row in insights["click_quality"]} == {True, False}
    economics = insights["campaign_economics"]
    assert all(any(row[f"messages_{of}"] for row in economics) for of in ("costed", "cost_unconverted", "without_cost"))
    assert any(row["cost"] == 0 for row in economics)
    routes = insights["delivery_routes"]
    assert {None, "GB", "US", "CA", "XK", "AC", "TA", "KZ"} <= {row["country"] for row in routes}
    assert {None, "twilio", "vonage", "smpp"} <= {row["provider"] for row in routes}
    assert any(row["without_receipt"] for row in routes)
    assert any(row["clock_skewed"] for row in routes)
    assert max(row["timed"] for row in routes) > 50
    assert {True, False} == {row["is_permanent"] for row in insights["delivery_failures"]}
    assert {None, ""} <= {row["link"] for row in insights["campaign_links"]}
    assert max(row["touches"] for row in insights["attribution_models"]) > 3
    assert any(row["messages"] for row in insights["contact_pressure"] if row["messages_before"] == 7)
    assert all(row["known"] < row["final"] for row in insights["figure_maturity"] if row["age_days"] == 0)
    assert any(row["messages_after"] for row in insights["suppression_what_if"])


def test_the_model_last_is_the_direct_orders(rows):
    models = [row for row in compute_insights(rows)["attribution_models"] if row["model"] == "last"]
    direct = [row for row in compute(rows)["attributed_orders"] if row["attribution"] == "direct"]
    assert direct
    assert differences(direct, models, ("order_id", "campaign_id", "revenue")) == []


# As statsmodels 0.15.0 gives them: proportion_confint(successes, trials, 0.05, "wilson").
INTERVALS = [
    (0, 20, 0.0, 0.1611251580528194),
    (1, 29, 0.006113214292762667, 0.17175521879320294),
    (15, 148, 0.06238639953073628, 0.16048724172330803),
    (81, 263, 0.2552885198782742, 0.36620957698280004),
    (20, 20, 0.8388748419471804, 1.0),
    (28, 29, 0.8282447812067972, 0.9938867857072375),
    (1, 1, 0.2065493143772374, 1.0),
    (3, 7, 0.15821985525146964, 0.7495416354723428),
    (5, 1_000_000, 2.1357029684685578e-06, 1.1705702681035748e-05),
    (999_999, 1_000_000, 0.9999943350881957, 0.9999998234754233),
]


@pytest.mark.parametrize(("successes", "trials", "low", "high"), INTERVALS)
def test_intervals_are_those_of_wilson(successes, trials, low, high):
    assert wilson_interval(successes, trials) == (pytest.approx(low, rel=1e-9), pytest.approx(high, rel=1e-9))
    if successes == trials:
        assert wilson_interval(successes + 1, trials) == wilson_interval(successes, trials)


@pytest.mark.parametrize(
    ("url", "link"),
    [
        (None, None),
        ("?a=1", ""),
        ("#top", ""),
        ("HTTPS://User@X.Test:80/Path?Q#F", "https://user@x.test:80/Path"),
        ("HTTP://X.Test", "http://x.test"),
        ("X.Test/A", "x.test/A"),
        ("X.Test", "x.test"),
        ("/A/B", "/A/B"),
        ("X.Test?u=http://Y/A", "x.test"),
        ("X/Y://Z/A", "x/y://z/A"),
        ("FILE:///A", "file:///A"),
        ("https://ÉX.test/", "https://Éx.test/"),
    ],
)
def test_links(url, link):
    assert link_of(url) == link


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+447700900123", "GB"),
        ("+12045551234", "CA"),
        ("+13105551234", "US"),
        ("+247612345", "AC"),
        ("+9991234567", None),
    ],
)
def test_countries_of_numbers(number, country):
    assert country_of(number) == country


def test_agents_of_bots_are_searched_in_the_case_given():
    assert is_agent_of_bot("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
    assert not is_agent_of_bot("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15")
    assert not is_agent_of_bot(None)


def test_a_reason_is_that_of_the_status_and_code_then_of_the_code_then_of_the_status():
    assert reason_of("TWILIO", "Undelivered", "30003.0")[0] == reason_of("twilio", "anything", "30003")[0] != "unknown"
    assert reason_of("smpp", "UNDELIV", "no such code") == reason_of("smpp", "undeliv", None)
    assert reason_of("nobody", "UNDELIV", None) == ("unknown", None, None)


def test_percentiles_are_nearest_ranks():
    assert [nearest_rank([30, 10, 20, 40], percent) for percent in (50, 75, 76, 100)] == [20, 30, 40, 40]
    assert nearest_rank(list(range(100)), 95) == 94
    assert nearest_rank([], 50) is None


def test_buckets_begin_at_their_bounds():
    tick = timedelta(microseconds=1)
    assert [bucket_of(timedelta(minutes=5) + distance) for distance in (-tick, 0 * tick, tick)] == [2, 5, 5]
    assert [bucket_of(elapsed) for elapsed in (None, -tick, 0 * tick, timedelta(days=90))] == [None, None, 0, 10080]


def test_weights_of_touches():
    touches = [{"clicked_at": START + timedelta(hours=hours)} for hours in (0, 168, 168)]
    settings = Settings()
    assert weights_of("position", touches, settings) == [Fraction(2, 5), Fraction(1, 5), Fraction(2, 5)]
    assert weights_of("position", touches[:2], settings) == weights_of("linear", touches[:2], settings)
    assert weights_of("time_decay", touches, settings) == [Fraction(1, 5), Fraction(2, 5), Fraction(2, 5)]
    thirds = weights_of("time_decay", touches[1:2] * 3, settings)
    assert [float(weight) for weight in thirds] == [0.333333333333, 0.333333333333, 0.333333333334]


def test_cents_left_over_go_to_the_greatest_fractions_and_on_a_tie_to_the_later_touch():
    third = Fraction(1, 3)
    assert shares_of(Decimal("1.00"), [third] * 3) == [Decimal(text) for text in ("0.33", "0.33", "0.34")]
    assert shares_of(Decimal("0.02"), [third] * 3) == [Decimal(text) for text in ("0.00", "0.01", "0.01")]
    assert shares_of(Decimal("0.05"), [Fraction(2, 5), Fraction(1, 5), Fraction(2, 5)]) == [
        Decimal(text) for text in ("0.02", "0.01", "0.02")
    ]


def _click(click_id: str, seconds: str, url: str | None, **values: str | None) -> dict:
    return {
        "click_id": click_id,
        "campaign_id": "c",
        "contact_id": "p",
        "message_id": None,
        "url": url,
        "user_agent": None,
        "clicked_at": START + timedelta(microseconds=int(Decimal(seconds) * 1_000_000)),
    } | values


def test_rules_of_bots():
    sent = [
        {"message_id": "m1", "campaign_id": "c", "contact_id": "p", "sent_at": START},
        {"message_id": "m2", "campaign_id": "c", "contact_id": "p", "sent_at": START + timedelta(hours=1)},
        {"message_id": "other", "campaign_id": "c", "contact_id": "q", "sent_at": START},
    ]
    clicks = [
        _click("fast", "1.999999", None),
        _click("at the limit", "2", None, message_id="other"),
        _click("before its message", "30", None, message_id="m2"),
        _click("sweep", "100", "https://x.test/a"),
        _click("a second later", "101", "https://x.test/b"),
        _click("the same link", "102.5", "https://X.test/b?id=1"),
        _click("no link", "102.6", None),
        _click("no message", "-1", "https://x.test/c"),
        _click("agent", "0", "https://x.test/a", user_agent="Googlebot/2.1"),
    ]
    rules = {click["click_id"]: click["rule"] for click in classified(clicks, sent, Settings())}
    assert rules == {
        "fast": "too_fast",
        "at the limit": None,
        "before its message": "too_fast",
        "sweep": "sweep",
        "a second later": "sweep",
        "the same link": None,
        "no link": None,
        "no message": "sweep",
        "agent": "user_agent",
    }
    at_zero = {click["click_id"]: click["rule"] for click in classified(clicks, sent, Settings(bot_click_seconds="0"))}
    assert (at_zero["fast"], at_zero["before its message"]) == (None, "too_fast")
