"""The page that compares campaigns, and its intervals."""

import json
from urllib.parse import urlencode

import pytest
from lxml import html

from reports.formatting import figure
from reports.queries.compare import FIGURES, time_words
from reports.queries.proportions import Proportion, difference, wilson_interval
from tests.reports.conftest import Site
from tests.running import mart_rows


# As statsmodels 0.15.0 gives them: confint_proportions_2indep(…, method="newcomb", compare="diff"). The first is the example
# of Newcombe 1998, table II.
@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ((56, 70), (48, 80), 0.05243147240236498, 0.33387265403690614),
        ((9, 10), (3, 10), 0.1705227239345029, 0.809017973535488),
        ((10, 10), (0, 20), 0.6790860371419145, 1.0),
        ((5, 100), (5, 100), -0.0679917836685562, 0.0679917836685562),
        ((120, 10_000), (90, 10_000), 0.0001684620964070016, 0.005867085874172203),
        ((0, 50), (0, 40), -0.08762160119728668, 0.07134759913335874),
        ((1, 4), (900, 1000), -0.8551259492642971, -0.20019020102006935),
    ],
)
def test_the_interval_of_a_difference_is_that_of_newcombe(first, second, low, high) -> None:
    result = difference(Proportion(*first), Proportion(*second))
    assert result is not None
    assert (result.low, result.high) == (pytest.approx(low, rel=1e-9), pytest.approx(high, rel=1e-9))
    assert result.is_shown is (low > 0 or high < 0)
    reverse = difference(Proportion(*second), Proportion(*first))
    assert reverse is not None
    assert (reverse.low, reverse.high) == (pytest.approx(-high, rel=1e-9), pytest.approx(-low, rel=1e-9))


def test_an_interval_includes_its_rate_and_ends_at_0_and_1() -> None:
    assert wilson_interval(Proportion(0, 0)) is None
    assert difference(Proportion(1, 2), Proportion(0, 0)) is None
    for whole in (1, 3, 1_000):
        for part in range(0, whole + 1, max(1, whole // 7)):
            interval = wilson_interval(Proportion(part, whole))
            assert interval is not None
            assert 0 <= interval.low <= part / whole <= interval.high <= 1
            assert (interval.low == 0) is (part == 0)
            assert (interval.high == 1) is (part == whole)
    assert wilson_interval(Proportion(7, 5)) == wilson_interval(Proportion(5, 5))


@pytest.mark.parametrize(
    ("minutes", "words", "short"),
    [(0, "0 minutes", "0 min"), (1, "1 minute", "1 min"), (60, "1 hour", "1 h"), (2880, "2 days", "2 d")],
)
def test_times_since_the_message_are_in_words(minutes: int, words: str, short: str) -> None:
    assert (time_words(minutes), time_words(minutes, is_short=True)) == (words, short)


def cells(page: html.HtmlElement, section: str) -> dict[str, list[str]]:
    """By its heading, the texts of the cells of each row of a table."""
    rows = page.xpath(f"//section[@aria-labelledby='{section}']//tbody/tr")
    text = {" ".join(row.xpath("./th")[0].text_content().split()): row.xpath("./td") for row in rows}
    return {name: [" ".join(cell.text_content().split()) for cell in row] for name, row in text.items()}


def test_figures_and_rates_of_two_campaigns_are_those_of_the_marts(sample: Site) -> None:
    file = sample.paths.published_marts
    metrics = sorted(mart_rows(file, "campaign_metrics"), key=lambda row: (-row["total_sent"], row["campaign_id"]))[:2]
    economics = {row["campaign_id"]: row for row in mart_rows(file, "campaign_economics")}
    page = html.fromstring(sample.get("/compare", params=[("campaign", row["campaign_id"]) for row in metrics]).text)

    figures = cells(page, "figures")
    quality = {row["campaign_id"]: row for row in mart_rows(file, "campaign_click_quality")}
    for column, label, unit in FIGURES:
        if column != "revenue":
            of_campaigns = [
                {**quality[row["campaign_id"]], **economics[row["campaign_id"]], **row}[column] for row in metrics
            ]
            heading = f"{label} USD" if unit in ("money", "amount") else label
            assert figures[heading] == [" ".join(figure(value, unit).split()) for value in of_campaigns], label
    unconverted = {
        row["order_id"] for row in mart_rows(file, "unconverted_orders") if row["total"] > row["refunded_amount"]
    }
    for shown, row in zip(figures["Revenue USD"], metrics, strict=True):
        orders = sum(
            order["campaign_id"] == row["campaign_id"]
            and order["attribution"] == "direct"
            and order["order_id"] in unconverted
            for order in mart_rows(file, "attributed_orders")
        )
        short = f" {orders} order{'' if orders == 1 else 's'} not in it" if orders else ""
        assert shown == f"{row['revenue']:,.2f}{short}"
    assert figures["Cost USD"] == [f"{economics[row['campaign_id']]['cost']:,.2f}" for row in metrics]
    assert figures["Direct orders"] == [f"{row['direct_orders']:,}" for row in metrics]

    rates = cells(page, "rates")
    denominator = conversion_denominator(file)
    for heading, part, whole in (
        ("Click-to-delivered rate of delivered messages", "unique_clickers", "total_delivered"),
        ("Click-to-delivered rate without bots of delivered messages", "human_unique_clickers", "total_delivered"),
        ("Unsubscribes per 1,000 of delivered messages", "unsubscribes", "total_delivered"),
        ("Conversion rate of contacts who clicked", "direct_orders", denominator),
    ):
        for text, row in zip(rates[heading], metrics, strict=False):
            counts = quality[row["campaign_id"]] | row
            assert text.endswith(f" {counts[part]:,} of {counts[whole]:,}"), heading
    *campaigns, shown = rates["Delivery rate of sent messages"]
    delivered = [Proportion(row["total_delivered"], row["total_sent"]) for row in metrics]
    for text, proportion in zip(campaigns, delivered, strict=True):
        interval = wilson_interval(proportion)
        assert interval is not None
        assert text.replace("\xa0", " ") == (
            f"{proportion.rate:.1%} {interval.low:.1%} to {interval.high:.1%}".replace("%", " %")
            + f" {proportion.part:,} of {proportion.whole:,}"
        )
    result = difference(*delivered)
    assert result is not None
    assert shown.startswith(f"{result.difference * 100:+.1f} points" if result.is_shown else "No difference shown")
    assert f"{result.low * 100:+.1f} to {result.high * 100:+.1f}" in shown

    failures = cells(page, "reasons")
    failed = [row["total_sent"] - row["total_delivered"] - row["pending"] for row in mart_failures(file, metrics)]
    assert [sum(int(row[at].split()[0].replace(",", "")) for row in failures.values()) for at in (0, 1)] == failed


def conversion_denominator(file):
    (info,) = mart_rows(file, "build_info")
    return json.loads(info["settings"])["conversion_rate_denominator"]


def mart_failures(file, metrics):
    """The campaigns with their pending messages, from the routes."""
    pending: dict[str, int] = {}
    for row in mart_rows(file, "delivery_routes"):
        pending[row["campaign_id"]] = pending.get(row["campaign_id"], 0) + row["pending"]
    return [{**row, "pending": pending[row["campaign_id"]]} for row in metrics]


def test_response_curves_are_those_of_the_mart(sample: Site) -> None:
    file = sample.paths.published_marts
    clicks = sorted(mart_rows(file, "campaign_metrics"), key=lambda row: (-row["total_clicks"], row["campaign_id"]))
    ids = [row["campaign_id"] for row in clicks[:3]]
    page = html.fromstring(sample.get("/compare", params=[("campaign", campaign_id) for campaign_id in ids]).text)
    rows = page.xpath("//figure[@id='responses']//tbody/tr")
    drawn = [[float(cell.get("data-value")) for cell in row.xpath("./td")] for row in rows]
    shares = {
        (row["campaign_id"], row["from_minutes"]): row["cumulative_click_share"]
        for row in mart_rows(file, "campaign_response")
    }
    starts = sorted({start for _, start in shares if start is not None})
    assert drawn == [[shares[campaign_id, start] for campaign_id in ids] for start in starts]


def test_campaigns_are_added_and_left_out_by_links(sample: Site) -> None:
    ids = sorted(row["campaign_id"] for row in mart_rows(sample.paths.published_marts, "campaign_metrics"))
    assert "Choose two to five campaigns" in sample.get("/compare").text
    assert "Choose two to five campaigns" in sample.get(f"/compare?campaign={ids[0]}").text
    assert "no campaign with the ID" in sample.get("/compare?campaign=no_such").text

    searched = html.fromstring(sample.get(f"/compare?{urlencode({'campaign': ids[0], 'search': ids[1]})}").text)
    (add,) = searched.xpath("//ul[@class='found']//a/@href")
    assert add == f"/compare?campaign={ids[0]}&campaign={ids[1]}"
    assert "No other campaign matches" in sample.get(f"/compare?campaign={ids[0]}&search={ids[0]}").text

    six = html.fromstring(sample.get("/compare", params=[("campaign", campaign_id) for campaign_id in ids[:6]]).text)
    assert len(six.xpath("//section[contains(@class, 'candidate')]")) == 5
    links = six.xpath("//a[starts-with(normalize-space(), 'Leave out')]/@href")
    assert "1 more was chosen and is left out" in " ".join(six.text_content().split())
    assert links[0] == "/compare?" + urlencode([("campaign", campaign_id) for campaign_id in ids[1:5]])
