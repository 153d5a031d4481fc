"""The campaign table: its figures, order, filters, rankings, and what a browser remembers of it."""

import csv
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from lxml import html

from models.enums import Attribution, UnconvertedReason
from orchestration.stages import AppContext
from reports import security
from reports.formatting import cell, count, figure, money
from reports.links import campaign_path
from reports.queries.campaign_table import TableQuery
from reports.queries.first_page.saved_views import MOST_VIEWS, SavedView, query_of, saved_views, views_cookie, with_view
from reports.queries.first_page.table_columns import COLUMNS, FROM_INSIGHTS, STANDARD, UNITS, VIEWS
from reports.queries.notices import Unconverted
from tests.reports.conftest import Site, with_settings
from tests.reports.conftest import serving as serve
from tests.reports.test_pages import campaign_ids, latest_export
from tests.running import RefreshedWarehouse, mart_rows
from warehouse.config.settings import Settings
from warehouse.export import CAMPAIGN_REPORT_COLUMNS

EVERY_COLUMN = f"columns={'.'.join(COLUMNS)}"
REPORT_COLUMNS = f"columns={'.'.join(CAMPAIGN_REPORT_COLUMNS)}"


@pytest.fixture(params=["wide", "sample"])
def site(request: pytest.FixtureRequest) -> Site:
    return request.getfixturevalue(request.param)


def page_of(site: Site, link: str) -> html.HtmlElement:
    return html.fromstring(site.get(link, follow_redirects=True).text)


def text_of(element: html.HtmlElement) -> str:
    """The visible text, without the marks of revenue and ranked rates."""
    for mark in element.xpath(".//*[@class='beside' or @class='what']"):
        mark.drop_tree()
    return " ".join(element.text_content().split())


def cells(page: html.HtmlElement, part: str) -> list[list[str]]:
    """The cells of the campaign table by row; `part` is thead, tbody or tfoot."""
    rows = page.xpath(f"//table[contains(@class, 'sticky-head')]/{part}/tr")
    return [[text_of(cell) for cell in row.xpath("./th | ./td")] for row in rows]


def status(page: html.HtmlElement) -> str:
    return " ".join(page.xpath("//*[@role='status']")[0].text_content().split())


def newest_first(metrics: list[dict]) -> list[dict]:
    by_id = sorted(metrics, key=lambda row: row["campaign_id"])
    return sorted(by_id, key=lambda row: row["last_sent_at"] or datetime.min, reverse=True)


def shown_value(row: dict, name: str) -> str:
    value = (
        figure(row[name], UNITS[name])
        if name in UNITS
        else cell(row[name], COLUMNS[name], Settings().time_zone, masks=True)
    )
    return " ".join(value.split())


def ratio(part: object, whole: object, times: int = 1) -> float | None:
    return times * float(part) / float(whole) if whole and part is not None else None  # type: ignore[arg-type]  # numbers


def campaigns_of(site: Site) -> list[dict]:
    """The rows of campaign_metrics with the other columns of the table, worked out from the marts."""
    file = site.paths.published_marts
    rows = mart_rows(file, "campaign_metrics")
    economics: dict[str, dict] = {}
    quality: dict[str, dict] = {}
    if site.has_insights:
        economics = {row["campaign_id"]: row for row in mart_rows(file, "campaign_economics")}
        quality = {row["campaign_id"]: row for row in mart_rows(file, "campaign_click_quality")}
    for row in rows:
        row["delivery_rate"] = ratio(row["total_delivered"], row["total_sent"])
        row["revenue_per_message"] = ratio(row["revenue"], row["total_sent"])
        row["unsubscribe_rate"] = ratio(row["unsubscribes"], row["total_delivered"], 1000)
        if economics:
            row |= {name: economics[row["campaign_id"]][name] for name in ("cost", "profit", "roi")}
            people = quality.get(row["campaign_id"], {"human_unique_clickers": 0})["human_unique_clickers"]
            row["human_unique_clickers"] = people
            row["human_click_to_delivered_rate"] = ratio(people, row["total_delivered"])
    return rows


# --- figures


def test_the_table_shows_every_campaign_with_its_figures(site: Site) -> None:
    campaigns = newest_first(campaigns_of(site))
    columns = [name for name in COLUMNS if site.has_insights or name not in FROM_INSIGHTS]
    shown: list[list[str]] = []
    while len(shown) < len(campaigns):
        page = page_of(site, f"/?{EVERY_COLUMN}&page={len(shown) // 50 + 1}")
        shown += cells(page, "tbody")
    assert cells(page, "thead") == [[COLUMNS[name].label for name in columns]]
    for row, campaign in zip(shown, campaigns, strict=True):
        expected = [shown_value(campaign, name) for name in columns]
        expected[0] = campaign["campaign_name"] or f"(no name) {campaign['campaign_id']}"
        assert row == [" ".join(text.split()) for text in expected]


def test_the_totals_are_sums_and_rates_of_sums(site: Site) -> None:
    campaigns = campaigns_of(site)
    page = page_of(site, f"/?{EVERY_COLUMN}")
    columns = [name for name in COLUMNS if site.has_insights or name not in FROM_INSIGHTS]
    (foot,) = cells(page, "tfoot")
    by_name = dict(zip(columns, foot, strict=True))

    def total(name: str) -> object:
        return sum(row[name] for row in campaigns if row[name] is not None)

    assert by_name["campaign_name"] == f"All {len(campaigns)}"
    assert by_name["total_sent"] == count(total("total_sent"))  # type: ignore[arg-type]  # a number
    assert by_name["revenue"] == money(total("revenue"))  # type: ignore[arg-type]  # a number
    rates = {
        "click_to_delivered_rate": ratio(total("unique_clickers"), total("total_delivered")),
        "conversion_rate": ratio(total("direct_orders"), total("unique_clickers")),
        "delivery_rate": ratio(total("total_delivered"), total("total_sent")),
        "revenue_per_message": ratio(total("revenue"), total("total_sent")),
        "unsubscribe_rate": ratio(total("unsubscribes"), total("total_delivered"), 1000),
    }
    if site.has_insights:
        rates["human_click_to_delivered_rate"] = ratio(total("human_unique_clickers"), total("total_delivered"))
        rates["roi"] = ratio(total("profit"), total("cost"))
        assert by_name["cost"] == money(total("cost"))  # type: ignore[arg-type]  # a number
    for name, rate in rates.items():
        assert by_name[name] == shown_value({name: rate}, name), name
    assert by_name["assisted_revenue"] == by_name["last_modified_by"] == ""


def test_a_page_of_the_table_shows_its_range_of_campaigns(sample: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    number = len(mart_rows(sample.paths.published_marts, "campaign_metrics"))
    assert "; here" not in sample.get("/?search=nothing").text
    monkeypatch.setattr("reports.database.PAGE_SIZE", number - 1)
    assert f"{number} campaigns; here 1 to {number - 1}." in sample.get("/").text
    assert f"{number} campaigns; here {number} to {number}." in sample.get("/?page=9").text


def test_every_column_of_the_report_can_be_shown_and_the_first_is_the_name() -> None:
    assert set(CAMPAIGN_REPORT_COLUMNS) < set(COLUMNS)
    assert all(view.columns[0] == "campaign_name" for view in VIEWS)
    assert set(VIEWS[-1].columns) == set(COLUMNS)
    assert len(STANDARD.columns) <= 11, "more do not fit a screen"


def test_the_csv_of_the_whole_table_equals_the_export(site: Site) -> None:
    shown = site.get(f"/campaigns.csv?{REPORT_COLUMNS}")
    rows = list(csv.DictReader(shown.text.removeprefix("\ufeff").splitlines(keepends=True)))
    exported = list(csv.DictReader(latest_export(site, "campaign_metrics").open(encoding="utf-8-sig", newline="")))
    query = (
        "select campaign_id, count(*) from marts.attributed_orders as orders join marts.unconverted_orders using (order_id)"
        " where attribution = 'direct' and revenue is null and orders.total > orders.refunded_amount group by all"
    )
    short = dict(site.rows(query))
    found = {row["Campaign ID"].removeprefix("'"): int(row.pop("Orders not in revenue", 0)) for row in rows}
    assert {campaign: orders for campaign, orders in found.items() if orders} == {
        campaign: orders for campaign, orders in short.items() if campaign in found
    }
    assert rows == exported, "in the same order"
    assert shown.headers["content-disposition"].startswith("attachment")


# --- order, filters, rankings


@pytest.mark.parametrize("column", list(COLUMNS))
def test_the_table_sorts_by_any_column_with_nulls_last(sample: Site, column: str) -> None:
    values = {row["campaign_id"]: row[column] for row in campaigns_of(sample)}
    for order, is_descending in (("asc", False), ("desc", True)):
        link = f"/campaigns.csv?sort={column}&order={order}&columns=campaign_id&least=0"
        shown = campaign_ids(sample.get(link))
        sorted_values = [values[campaign_id.removeprefix("'")] for campaign_id in shown]
        known = [value for value in sorted_values if value is not None]
        if column not in ("campaign_name", "last_modified_by", "campaign_id", "campaign_type"):
            assert known == sorted(known, reverse=is_descending)
        elif column == "campaign_id":
            assert known == sorted(known, key=lambda text: text.encode(), reverse=is_descending)
        assert sorted_values == known + [None] * (len(shown) - len(known))
        assert len(shown) == len(values)


def test_filters_keep_the_matching_campaigns(sample: Site) -> None:
    metrics = mart_rows(sample.paths.published_marts, "campaign_metrics")

    def ids(link: str) -> set[str]:
        return set(campaign_ids(sample.get(f"/campaigns.csv?columns=campaign_id&{link}")))

    def matching(matches: Callable[[dict], bool]) -> set[str]:
        kept = {row["campaign_id"] for row in metrics if matches(row)}
        assert 0 < len(kept) < len(metrics), "a filter that keeps all or none proves nothing"
        return kept

    assert ids("type=MMS") == matching(lambda row: row["campaign_type"] == "MMS")
    word, other = metrics[0]["campaign_name"].replace(",", " ").split()[:2]
    for search in (f"{word.upper()} {other}", f"{other} {word.lower()}"):
        found = matching(
            lambda row: all(part in (row["campaign_name"] or "").lower() for part in (word.lower(), other.lower()))
        )
        assert ids(f"search={quote(search)}") == found
    day = sorted(row["last_sent_at"].date() for row in metrics)[len(metrics) // 2]
    assert ids(f"from={day}&to={day}") == matching(lambda row: row["last_sent_at"].date() == day)
    assert ids("search=100%25") == set(), "a percent sign is not a wildcard"
    nonsense = (
        "type=FAX&from=yesterday&sort=drop%20table&page=-7&columns=password&least=-3&period=never&figure=x&by=year"
    )
    assert sample.get(f"/?{nonsense}").status_code == 200


def test_days_are_in_the_time_zone_of_the_reports(refreshed_sample: RefreshedWarehouse) -> None:
    metrics = mart_rows(refreshed_sample.warehouse.paths.published_marts, "campaign_metrics")
    with serve(with_settings(refreshed_sample.warehouse, report_timezone="Pacific/Kiritimati")) as far_east:
        zone = Settings(report_timezone="Pacific/Kiritimati").time_zone
        days = {row["campaign_id"]: row["last_sent_at"].replace(tzinfo=UTC).astimezone(zone).date() for row in metrics}
        assert any(days[row["campaign_id"]] != row["last_sent_at"].date() for row in metrics)
        day = sorted(days.values())[len(days) // 2]
        shown = campaign_ids(far_east.get(f"/campaigns.csv?columns=campaign_id&from={day}&to={day}"))
        assert set(shown) == {campaign for campaign, campaign_day in days.items() if campaign_day == day}


def test_a_ranking_by_a_rate_leaves_out_small_campaigns_and_says_so(sample: Site) -> None:
    campaigns = campaigns_of(sample)
    least = sorted(row["total_delivered"] for row in campaigns)[len(campaigns) // 2]
    small = sum(row["total_delivered"] < least for row in campaigns)
    assert 0 < small < len(campaigns)
    words = f"left out of this ranking: fewer than {least:,} delivered messages."
    page = page_of(sample, f"/?sort=click_to_delivered_rate&chart=revenue&least={least}")
    assert status(page).startswith(f"{len(campaigns) - small} campaigns")
    assert words in status(page)
    assert "left out" not in status(page_of(sample, f"/?sort=revenue&least={least}")), "revenue is no rate"
    assert "left out" not in status(page_of(sample, "/?sort=click_to_delivered_rate&least=0"))

    best = max(
        (row for row in campaigns if row["total_delivered"] >= least),
        key=lambda row: (row["click_to_delivered_rate"], [-byte for byte in row["campaign_id"].encode()]),
    )
    counts = f"{best['unique_clickers']:,} of {best['total_delivered']:,}"
    first = page.xpath("//table[contains(@class, 'sticky-head')]/tbody/tr")[0]
    assert counts in [" ".join(mark.text_content().split()) for mark in first.xpath(".//*[@class='beside']")]

    top = page_of(sample, f"/?chart=click_to_delivered_rate&least={least}").xpath("//section[@aria-labelledby='top']")[
        0
    ]
    assert words in " ".join(top.text_content().split())
    (row, *_) = top.xpath(".//tbody/tr")
    assert counts in " ".join(row.text_content().split())
    rows = campaign_ids(sample.get(f"/campaigns.csv?sort=conversion_rate&columns=campaign_id&least={least}"))
    ranked = [row for row in campaigns if row["total_delivered"] >= least and row["unique_clickers"] >= least / 5]
    assert len(rows) == len(ranked), "the file holds what is seen"
    assert (
        f"fewer than {least:,} delivered messages or {-(-least // 5):,} contacts who clicked."
        in page_of(sample, f"/?sort=conversion_rate&least={least}").text_content()
    )


def test_revenue_says_which_orders_are_not_in_it(site: Site) -> None:
    file = site.paths.published_marts
    sent = {row["campaign_id"] for row in mart_rows(file, "campaign_metrics")}
    orders = [
        row
        for row in mart_rows(file, "attributed_orders")
        if row["attribution"] == "direct" and row["revenue"] is None and row["campaign_id"] in sent
    ]
    page = page_of(site, "/?sort=campaign_id&order=asc&columns=revenue&period=all")
    notes = [" ".join(note.text_content().split()) for note in page.xpath("//*[@id='not-in-revenue-here']")]
    assert len(notes) == bool(orders)
    if orders:
        assert notes[0].startswith(f"{len(orders):,} order")
        for currency in {row["currency"] for row in orders}:
            assert f"{currency} " in notes[0]
        assert (
            f"{len(orders):,} order" in page.xpath("//table[contains(@class, 'sticky-head')]/tfoot")[0].text_content()
        )


def test_the_sentence_of_orders_that_are_not_in_revenue() -> None:
    def row(currency: str, amount: float, reason: UnconvertedReason, orders: int = 1) -> dict:
        return {"currency": currency, "amount": amount, "reason": str(reason), "orders": orders}

    one = Unconverted(Attribution.DIRECT, 1, [row("CHF", 99, UnconvertedReason.NO_EXCHANGE_RATE)])
    assert one.sentence == "1 order (CHF 99.00) is not in revenue: no exchange rate."
    several = [row("CHF", 99, UnconvertedReason.NO_EXCHANGE_RATE), row("JPY", 5e9, UnconvertedReason.REVENUE_TOO_LARGE)]
    assert Unconverted(Attribution.DIRECT, 3, several).sentence == (
        "3 orders (CHF 99.00, JPY 5,000,000,000.00) are not in revenue: no exchange rate or the amount is too large."
    )
    assisted = Unconverted(Attribution.ASSISTED, 1, one.sums)
    assert assisted.sentence == "1 assisted order (CHF 99.00) is not in assisted revenue: no exchange rate."


# --- links and what a browser remembers


@pytest.fixture
def browser(sample: Site) -> Iterator[httpx.Client]:
    """A client with cookies of its own, whose forms come from the pages."""
    headers = {"Sec-Fetch-Site": "same-origin"}
    with httpx.Client(base_url=sample.address, headers=headers, timeout=60) as client:
        yield client


def post(browser: httpx.Client, path: str, **fields: object) -> httpx.Response:
    return browser.post(path, data={"token": security.TOKEN, **fields})


def headings(response: httpx.Response) -> list[str]:
    return cells(html.fromstring(response.text), "thead")[0]


def test_a_link_keeps_everything_that_is_chosen() -> None:
    text = (
        "period=own&since=2026-01-02&until=2026-01-31&against=year&clock=sent&figure=cost&second=roi&by=week&search=a%26b"
        "&type=MMS&from=2026-01-01&to=2026-02-01&least=0&sort=revenue&order=asc&page=3&chart=total_sent"
        "&columns=campaign_name.revenue"
    )
    query = query_of(text)
    assert parse_qs(urlsplit(query.link()).query) == parse_qs(text)
    assert query_of(urlsplit(query.link()).query) == query
    assert TableQuery().link() == "/?columns=standard", "a bare / shows what the browser remembers"


def test_every_link_and_form_of_the_page_keeps_the_filters_and_the_period(sample: Site) -> None:
    chosen = "period=7d&type=SMS&sort=revenue&columns=campaign_name.revenue&figure=cost&least=7"
    page = page_of(sample, f"/?{chosen}")
    links = [link for link in page.xpath("//main//a/@href") if link.startswith("/?")]
    assert len(links) > 30
    for link in links:
        query = vars(query_of(urlsplit(link).query))
        changed = {name for name, value in vars(query_of(chosen)).items() if query[name] != value}
        assert len(changed - {"descending"}) <= 2, link
    for form in page.xpath("//main//form[@method='get' and not(@id)]"):
        fields = {field.get("name") for field in form.xpath(".//input | .//select")}
        assert fields >= {"period", "type", "sort", "columns", "figure", "least"}, form.get("aria-label")


def test_the_table_leads_to_the_campaigns_of_the_period_and_back(sample: Site) -> None:
    page = page_of(sample, "/?period=7d&type=SMS")
    (link,) = page.xpath("//a[text()='Only campaigns last sent in this period']/@href")
    narrowed = page_of(sample, link)
    query = query_of(urlsplit(link).query)
    assert (query.campaign_type, query.sent_from is not None, query.sent_to is not None) == ("SMS", True, True)
    (back,) = narrowed.xpath("//p[contains(., 'last sent in the period above')]/a/@href")
    assert back == "/?period=7d&type=SMS#campaigns"
    covers = "//h2[@id='top']//*[@class='covers']/text()"
    assert narrowed.xpath(covers) == [f"– SMS campaigns, last sent {query.sent_from} to {query.sent_to}"]
    assert page_of(sample, "/?period=7d").xpath(covers) == ["of all time"]


def test_the_chosen_columns_are_remembered_and_a_link_never_changes_them(browser: httpx.Client) -> None:
    browser.get("/?columns=campaign_name.total_clicks")
    assert "columns" not in browser.cookies
    shown = post(browser, "/columns", columns=["revenue", "campaign_name"], table="type=SMS")
    assert shown.status_code == 303
    assert shown.headers["location"] == "/?type=SMS&columns=campaign_name.revenue#campaigns"
    cookie = shown.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie

    again = browser.get("/", follow_redirects=True)
    assert headings(again) == ["Campaign name", "Revenue"]
    assert again.url.query == b"columns=campaign_name.revenue", "the address holds what is seen"
    assert headings(browser.get("/?columns=campaign_name.total_clicks")) == ["Campaign name", "Total clicks"]
    assert len(headings(browser.get("/?type=SMS"))) == len(STANDARD.columns), "a link shows everybody the same"
    assert headings(browser.get("/", follow_redirects=True)) == ["Campaign name", "Revenue"]

    post(browser, "/columns", columns=list(STANDARD.columns), table="")
    assert browser.get("/").status_code == 200


def test_a_view_is_saved_under_a_name_and_removed(browser: httpx.Client) -> None:
    link = "type=MMS&sort=revenue&columns=campaign_name.revenue"
    assert post(browser, "/views", name=" My  <MMS> & more ", table=f"{link}&page=2").status_code == 303
    page = html.fromstring(browser.get("/").text)
    assert page.xpath("//a[@class='saved']/text()") == ["My <MMS> & more"]
    (saved,) = page.xpath("//a[@class='saved']/@href")
    assert parse_qs(urlsplit(saved).query) == parse_qs(link)
    shown = browser.get(saved)
    assert headings(shown) == ["Campaign name", "Revenue"]
    assert html.fromstring(shown.text).xpath("//a[@class='saved']/@aria-current") == ["true"]
    post(browser, "/views", forget="My <MMS> & more", table=link)
    assert 'class="saved"' not in browser.get("/").text


def test_a_form_of_another_site_or_before_a_restart_changes_nothing(browser: httpx.Client) -> None:
    for form in ({"token": "old"}, {}):
        assert browser.post("/columns", data={**form, "columns": "revenue"}).status_code == 403
        assert browser.post("/views", data={**form, "name": "a"}).status_code == 403
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert browser.post("/views", data={"token": security.TOKEN, "name": "a"}, headers=elsewhere).status_code == 403
    assert post(browser, "/views", name="   ", table="").status_code == 400


def test_a_browser_keeps_as_many_views_as_a_cookie_holds() -> None:
    views: list[SavedView] = []
    for number in range(MOST_VIEWS + 5):
        views = with_view(views, f"view {number}", query_of(EVERY_COLUMN))
    assert len(views) <= MOST_VIEWS
    assert saved_views({"views": views_cookie(views)}) == views
    assert with_view(views, views[0].name, query_of("type=MMS"))[-1].query.campaign_type == "MMS"
    for nonsense in ("", "%7B", "[1]", '[["a"]]', '[["a", 1]]', "[[]]", "5", '"text"', "null"):
        assert saved_views({"views": quote(nonsense)}) == []


def test_breadcrumbs_lead_to_the_table_that_was_seen(browser: httpx.Client, sample: Site) -> None:
    browser.get("/?type=MMS&sort=revenue")
    campaign = mart_rows(sample.paths.published_marts, "campaign_metrics")[0]["campaign_id"]
    for path in ("/glossary", "/compare", campaign_path(campaign)):
        (crumb, *_) = html.fromstring(browser.get(path).text).xpath("//p[@class='crumbs']/a/@href")
        assert crumb == "/?type=MMS&sort=revenue"
    browser.cookies.set("table", quote("javascript:alert(1)"))
    (crumb, *_) = html.fromstring(browser.get("/glossary").text).xpath("//p[@class='crumbs']/a/@href")
    assert crumb == "/?columns=standard"


def test_campaigns_are_ticked_for_a_comparison(sample: Site) -> None:
    page = page_of(sample, "/")
    boxes = page.xpath("//input[@type='checkbox' and @form='compare' and @name='campaign']/@value")
    assert (
        boxes[:2]
        == [row["campaign_id"] for row in newest_first(mart_rows(sample.paths.published_marts, "campaign_metrics"))][:2]
    )
    (form,) = page.xpath("//form[@id='compare']")
    assert (form.get("action"), form.get("method")) == ("/compare", "get")
    assert sample.get("/compare", params=[("campaign", box) for box in boxes[:2]]).status_code == 200


def test_every_heading_and_figure_has_its_meaning_in_the_glossary(sample: Site) -> None:
    page = page_of(sample, f"/?{EVERY_COLUMN}&period=all")
    links = {link for link in page.xpath("//a/@href") if link.startswith("/glossary#")}
    assert len(links) >= len(COLUMNS)
    places = page_of(sample, "/glossary").xpath("//*/@id")
    assert {link.partition("#")[2] for link in links} <= set(places)
    assert len(places) == len(set(places))
    text = " ".join(page_of(sample, "/glossary").xpath("//main")[0].text_content().split())
    assert "Unique clickers ÷ Total delivered" in text
    assert not {"null", "settings", "log"} & set(text.replace(";", " ").split())
    assert not [name for name in COLUMNS if "_" in name and name in text], "columns are named by their labels"


def test_the_glossary_opens_before_anything_is_published(tmp_path: Path) -> None:
    with serve(AppContext.of(Settings(data=tmp_path))) as empty:
        assert empty.get("/glossary").status_code == 200
