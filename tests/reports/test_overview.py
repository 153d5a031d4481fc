"""The overview of the first page: every figure equals SQL on the marts."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from lxml import html

from models.enums import FailureReason
from orchestration.stages import AppContext
from reports.formatting import NOTHING, figure
from reports.queries.first_page.figures import change
from tests.reports.conftest import Site, serving
from tests.running import RefreshedWarehouse
from warehouse.config.settings import Settings

TILES = {
    "Revenue": "money",
    "Messages": "count",
    "Delivery rate": "rate",
    "Click-to-delivered rate": "rate",
    "Conversion rate": "rate",
    "Revenue per message": "amount",
    "Cost": "money",
    "Unsubscribes per 1,000 delivered": "per_thousand",
}


@pytest.fixture(params=["sample", "insights_site"])
def site(request: pytest.FixtureRequest) -> Site:
    return request.getfixturevalue(request.param)


def words(element: html.HtmlElement) -> str:
    return " ".join(element.text_content().split())


def page_of(site: Site, link: str) -> html.HtmlElement:
    return html.fromstring(site.get(link).text)


def tiles(page: html.HtmlElement) -> dict[str, dict[str, list[str]]]:
    """By its label, the texts of a tile by their class."""
    found: dict[str, dict[str, list[str]]] = {}
    for tile in page.xpath("//section[@aria-labelledby='overview']//dl/div"):
        texts = found.setdefault(words(tile.xpath("./dt/a")[0]), {})
        for part in tile.xpath("./dd"):
            texts.setdefault(part.get("class"), []).append(words(part))
    return found


def all_days(site: Site) -> tuple[date, date]:
    return site.rows("select min(day), max(day) from insights.daily_totals")[0]  # type: ignore[return-value]  # two days


def expected(site: Site, first: date, last: date, clock: str = "event") -> dict[str, Any]:
    """The figures of a period in UTC, by the label of their tile, in SQL on the marts."""
    days = {"first": first, "last": last}
    query = (
        "select sum(revenue), sum(messages), sum(delivered) / sum(messages), sum(revenue) / sum(messages), nullif(sum(cost), 0),"
        " 1000 * sum(unsubscribes) / sum(delivered), (sum(revenue) - sum(cost)) / nullif(sum(cost), 0)"
        " from insights.daily_totals where clock = $clock and day between $first and $last"
    )
    (totals,) = site.rows(query, clock=clock, **days)
    campaigns = (
        "select count(*), sum(unique_clickers) / nullif(sum(total_delivered), 0),"
        " sum(direct_orders) / nullif(sum(unique_clickers), 0), sum((select sum(human_unique_clickers)"
        " from insights.campaign_click_quality as q where q.campaign_id = m.campaign_id)) / nullif(sum(total_delivered), 0)"
        " from marts.campaign_metrics as m where last_sent_at::date between $first and $last"
    )
    ((number, click_rate, conversion_rate, human_rate),) = site.rows(campaigns, **days)
    revenue, messages, delivery_rate, per_message, cost, unsubscribes, roi = totals
    return {
        "Revenue": revenue or 0, "Messages": messages or 0, "Delivery rate": delivery_rate,
        "Click-to-delivered rate": click_rate, "Conversion rate": conversion_rate, "Revenue per message": per_message,
        "Cost": cost, "Unsubscribes per 1,000 delivered": unsubscribes, "roi": roi, "human": human_rate, "campaigns": number,
    }  # fmt: skip


def check_tiles(site: Site, link: str, first: date, last: date, clock: str = "event") -> None:
    shown, figures = tiles(page_of(site, link)), expected(site, first, last, clock)
    assert list(shown) == list(TILES)
    for label, unit in TILES.items():
        text = " ".join(figure(figures[label], unit).split())
        assert shown[label]["value"][0].removesuffix(" USD") == text, (label, link)
    human = " ".join(figure(figures["human"], "rate").split())
    assert shown["Click-to-delivered rate"]["beside"][0].startswith(f"People, without bots {human}")
    assert f"{figures['campaigns']:,} campaign" in shown["Click-to-delivered rate"]["beside"][-1]
    roi = " ".join(figure(figures["roi"], "rate").split())
    assert shown["Cost"]["beside"][0].startswith(f"ROI {roi}")


# --- figures


@pytest.mark.parametrize("clock", ["event", "sent"])
def test_the_figures_of_a_period_are_those_of_the_marts(site: Site, clock: str) -> None:
    first, last = all_days(site)
    check_tiles(site, f"/?period=all&clock={clock}", first, last, clock)
    (data_until,) = site.rows("select data_until from marts.build_info")[0]
    check_tiles(site, f"/?period=30d&clock={clock}", data_until - timedelta(days=29), data_until, clock)
    middle = first + (last - first) // 2
    for since, until in ((first, middle), (middle, middle), (middle, last)):
        link = f"/?period=own&since={since}&until={until}&clock={clock}"
        check_tiles(site, link, since, until, clock)


def test_all_days_add_up_to_the_table(site: Site) -> None:
    (revenue, messages), *_ = site.rows("select sum(revenue), sum(total_sent) from marts.campaign_metrics")
    shown = tiles(page_of(site, "/?period=all"))
    assert shown["Revenue"]["value"] == [f"{revenue:,.2f} USD"]
    assert shown["Messages"]["value"] == [f"{messages:,}"]
    assert shown["Messages"]["changed"] == ["no comparison"]


def test_a_figure_is_compared_with_the_period_before(sample: Site) -> None:
    first, last = all_days(sample)
    middle = last - timedelta(days=(last - first).days // 2)
    page = page_of(sample, f"/?period=own&since={middle}&until={last}")
    days = (last - middle).days + 1
    before_first, before_last = middle - timedelta(days=days), middle - timedelta(days=1)
    assert f"compared with {before_first} to {before_last}" in words(
        page.xpath("//section[@aria-labelledby='overview']")[0]
    )
    now, before = expected(sample, middle, last), expected(sample, before_first, before_last)
    changes = {label: tile["changed"][0] for label, tile in tiles(page).items()}
    share = abs(now["Messages"] - before["Messages"]) / before["Messages"]
    arrow, word = ("▲", "up") if now["Messages"] > before["Messages"] else ("▼", "down")
    assert changes["Messages"] == f"{arrow} {word} {share:.1%} from {before['Messages']:,}".replace("%", " %")
    points = abs(now["Delivery rate"] - before["Delivery rate"]) * 100
    text = figure(before["Delivery rate"], "rate").replace("\N{NO-BREAK SPACE}", " ")
    assert changes["Delivery rate"].split(" ", 2)[2] == f"{points:.1f} points from {text}" or points < 0.05

    year_before = page_of(sample, f"/?period=own&since={middle}&until={last}&against=year")
    assert {tile["changed"][0] for tile in tiles(year_before).values()} == {"no data before"}


@pytest.mark.parametrize(
    ("unit", "value", "before", "direction", "text"),
    [
        ("count", 112, 100, "up", "12.0 %"),
        ("money", Decimal("75.00"), Decimal("100.00"), "down", "25.0 %"),
        ("rate", 0.031, 0.029, "up", "0.2 points"),
        ("rate", 0.0301, 0.03, "same", "0.0 points"),
        ("rate", -0.5, 4.0, "down", "450.0 points"),
        ("count", 5, 0, "up", ""),
        ("count", 0, 0, "same", ""),
        ("per_thousand", 3000.0, 1.0, "up", "299,900.0 %"),
    ],
)
def test_a_change_is_in_per_cent_or_points(unit: str, value: Any, before: Any, direction: str, text: str) -> None:
    found = change(unit, value, before)
    assert found is not None
    assert (found.direction, found.text.replace("\N{NO-BREAK SPACE}", " ")) == (direction, text)
    assert change(unit, value, None) is change(unit, None, before) is None


def changes(page: html.HtmlElement) -> set[str]:
    return {tile["changed"][0] for tile in tiles(page).values()}


def overview_words(page: html.HtmlElement) -> str:
    return words(page.xpath("//section[@aria-labelledby='overview']")[0])


def test_a_period_is_not_compared_with_one_that_is_not_whole(sample: Site) -> None:
    first, last = all_days(sample)
    page = page_of(sample, f"/?period=own&since={first + timedelta(days=1)}&until={last}")
    assert f"The data begin on {first}" in overview_words(page)
    assert changes(page) == {"days missing: not compared"}


def test_days_of_the_period_without_data_are_told(sample: Site) -> None:
    first, last = all_days(sample)
    said = f"the data are from {first} to {last}."
    cut = page_of(sample, f"/?period=own&since={last}&until={last + timedelta(days=2)}")
    assert f"Days of this period are missing: {said}" in overview_words(cut)
    assert changes(cut) == {"days missing: not compared"}
    for link in ("/?period=own&since=2020-01-01&until=2020-01-05", f"/?period=own&since={last + timedelta(days=1)}"):
        empty = page_of(sample, link)
        assert f"There are no data for this period: {said}" in overview_words(empty)
        assert changes(empty) == {"no data"}
        assert {tile["value"][0] for tile in tiles(empty).values()} == {NOTHING}
    for link in ("/?period=all", f"/?period=own&since={first}&until={last}"):
        assert said not in overview_words(page_of(sample, link))


def test_own_dates_that_are_no_period_are_told_and_kept(sample: Site) -> None:
    _, last = all_days(sample)
    page = page_of(sample, f"/?period=own&since={last}&until={last - timedelta(days=3)}")
    assert f"The first day, {last}, is after the last day, {last - timedelta(days=3)}." in overview_words(page)
    assert f"{last - timedelta(days=29)} to {last} (30 days)" in overview_words(page)
    kept = {field.get("name"): field.get("value") for field in page.xpath("//details[@open]//input[@type='date']")}
    assert kept == {"since": str(last), "until": str(last - timedelta(days=3))}
    assert "Own dates need a first or a last day." in overview_words(page_of(sample, "/?period=own"))


# --- the chart


def chart(page: html.HtmlElement) -> tuple[list[str], list[list[str]]]:
    (table,) = page.xpath("//figure[@id='trend']//table")
    rows = [[words(cell) for cell in row.xpath("./th | ./td")] for row in table.xpath("./tbody/tr")]
    return [words(cell) for cell in table.xpath("./thead/tr/th")], rows


def test_the_chart_shows_a_figure_by_day_with_the_period_before(sample: Site) -> None:
    _, last = all_days(sample)
    by_day = dict(
        sample.rows("select day, sum(messages) from insights.daily_totals where clock = 'event' group by day")
    )
    since, until = last - timedelta(days=1), last
    head, rows = chart(page_of(sample, f"/?period=own&since={since}&until={until}&figure=messages"))
    assert head == ["Day", "Messages", "The period before"]
    assert rows == [
        [str(day), f"{by_day.get(day, 0):,}", f"{by_day.get(day - timedelta(days=2), 0):,}"] for day in (since, until)
    ]


def test_the_small_lines_do_not_follow_the_step_of_the_chart(sample: Site) -> None:
    first, last = all_days(sample)
    lines = "//dd[@class='spark']//polyline/@points"
    by_day, by_month = (page_of(sample, f"/?period=own&since={first}&until={last}&by={by}") for by in ("day", "month"))
    assert by_day.xpath(lines) == by_month.xpath(lines)


def test_the_chart_shows_two_figures_by_week_and_by_month(site: Site) -> None:
    query = (
        "select date_trunc($step, day) as start, sum(revenue), sum(delivered) / nullif(sum(messages), 0)"
        " from insights.daily_totals where clock = 'event' group by start order by start"
    )
    for step in ("week", "month"):
        page = page_of(site, f"/?period=all&figure=revenue&second=delivery_rate&by={step}")
        head, rows = chart(page)
        assert head == [step.capitalize(), "Revenue", "Delivery rate"]
        known = [row for row in rows if row[1] != "0.00" or row[2] != NOTHING]
        sums = [sums for sums in site.rows(query, step=step) if sums[1] or sums[2] is not None]
        assert [row[1:] for row in known] == [
            [f"{revenue:,.2f}", " ".join(figure(rate, "rate").split())] for _, revenue, rate in sums
        ]
    assert page.xpath("//figure[@id='trend']//th[@data-right]"), "figures of two units have two axes"


# --- what to know


def test_orders_and_costs_that_are_not_in_the_figures_are_told(site: Site) -> None:
    query = (
        "select count(*) from marts.attributed_orders join marts.unconverted_orders using (order_id)"
        " where attribution = 'direct' and revenue is null and attributed_orders.total > attributed_orders.refunded_amount"
    )
    (orders,) = site.rows(query)[0]
    (costs,) = site.rows("select sum(messages_cost_unconverted) from insights.campaign_economics")[0]
    page = page_of(site, "/?period=all")
    notes = [words(note) for note in page.xpath("//ul[@class='notes']/li")]
    assert sum(note.startswith(f"{orders:,} order") and "not in revenue" in note for note in notes) == bool(orders)
    assert sum(note.startswith(f"{costs:,} message") and "not in the cost" in note for note in notes) == bool(costs)
    assert bool(tiles(page)["Revenue"].get("beside")) is bool(orders)


def test_incidents_of_the_period_are_told(insights_site: Site) -> None:
    incidents = insights_site.rows(
        "select provider, country, first_day, last_day, messages, failed from insights.delivery_incidents"
    )
    assert incidents, "the case has some"
    for provider, country, first_day, last_day, messages, failed in incidents:
        page = page_of(insights_site, f"/?period=own&since={last_day}&until={last_day}")
        notes = [
            words(note) for note in page.xpath("//ul[@class='notes']/li") if "failed more than usual" in words(note)
        ]
        (note,) = [note for note in notes if note.startswith(f"{provider}{f' in {country}' if country else ''} failed")]
        assert str(first_day) in note
        assert f"{failed / messages:.1%} of {messages:,} messages".replace("%", " %") in note
        assert not any(f"Mostly: {reason}." in note for reason in FailureReason), "a reason is in words"
    earliest = min(first_day for _, _, first_day, *_ in incidents)
    page = page_of(
        insights_site, f"/?period=own&since={earliest - timedelta(days=9)}&until={earliest - timedelta(days=1)}"
    )
    assert "failed more than usual" not in page.text_content()


def test_a_build_without_insights_has_a_line_instead(wide: Site, refreshed_wide: RefreshedWarehouse) -> None:
    page = wide.get("/?period=7d").text
    assert "SENDMART_INSIGHTS turns them on" in page
    assert 'class="tiles"' not in page


def test_days_are_those_of_the_report_time_zone(refreshed_sample: RefreshedWarehouse) -> None:
    """In a zone to the west, the last day of the data is not whole."""
    warehouse = refreshed_sample.warehouse
    settings: Settings = warehouse.settings.model_copy(update={"report_timezone": "America/New_York"})
    with serving(AppContext(settings, warehouse.paths, warehouse.ledger)) as west:
        (data_until,) = west.rows("select data_until from marts.build_info")[0]
        page = page_of(west, "/?period=7d")
        (notice,) = page.xpath("//aside[contains(@class, 'notice')]")
        assert words(notice).startswith(
            "The days of these figures are in UTC: the time zone of the reports is now America/New"
        )
        last = data_until - timedelta(days=1)
        assert f"{last - timedelta(days=6)} to {last}" in words(page.xpath("//section[@aria-labelledby='overview']")[0])
