"""The page of a campaign: every figure of its sections and tabs is that of the marts."""

import csv
import io
import math
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

import duckdb
import pytest
from lxml import html

from models.enums import DeliveryStatus
from orchestration.stages import AppContext
from reports.formatting import NOTHING, count, duration, figure, money, rate
from reports.links import campaign_path
from reports.queries.campaign import PEOPLE_TABS
from reports.queries.of_campaign.delivery import NO_ADVICE, by_reason
from reports.queries.of_campaign.standing import Standing
from reports.words import ATTRIBUTION_MODELS, BOT_RULES, COUNTRIES, FAILURE_REASONS
from tests.reports.conftest import Site, serving
from tests.running import RefreshedWarehouse, mart_rows
from warehouse.config.paths import DataPaths
from warehouse.config.settings import Settings


@pytest.fixture(params=["sample", "insights_site"])
def site(request: pytest.FixtureRequest) -> Site:
    return request.getfixturevalue(request.param)


Row = dict[str, Any]


def marts_of(site: Site, campaign_id: str, *names: str) -> Iterable[list[Row]]:
    """The campaign's rows of each mart."""
    for name in names:
        yield [row for row in mart_rows(site.paths.published_marts, name) if row["campaign_id"] == campaign_id]


def largest(site: Site, number: int = 4) -> list[Row]:
    """The rows of `campaign_metrics` of the campaigns with the most messages."""
    metrics = mart_rows(site.paths.published_marts, "campaign_metrics")
    return sorted(metrics, key=lambda row: (-row["total_sent"], row["campaign_id"]))[:number]


def open_campaign(site: Site, campaign_id: str, **parameters: Any) -> html.HtmlElement:
    response = site.get(campaign_path(campaign_id), params=parameters)
    assert response.status_code == 200
    return html.fromstring(response.text)


def text(element: html.HtmlElement) -> str:
    """Its text with single spaces; those that break no line are kept."""
    return re.sub(r"[ \n\t]+", " ", element.text_content()).strip()


def table(page: html.HtmlElement, caption: str) -> list[list[str]]:
    """The texts of the cells, by row, of the table with this caption, without the cells that hold drawings."""
    (found,) = [found for found in page.iter("table") if text(found.find("caption")) == caption]
    return [
        [text(cell) for cell in row.xpath("./*[not(contains(@class, 'drawn'))]")] for row in found.xpath("./tbody/tr")
    ]


def has_table(page: html.HtmlElement, caption: str) -> bool:
    return any(text(found) == caption for found in page.iter("caption"))


def note(page: html.HtmlElement, section: str) -> str:
    """The whole text of a section."""
    return text(page.xpath(f"//section[@aria-labelledby='{section}']")[0])


@contextmanager
def changed(refreshed: RefreshedWarehouse, folder: Path) -> Iterator[tuple[DataPaths, duckdb.DuckDBPyConnection]]:
    """A copy of the published file of the sample, open for changes."""
    paths = DataPaths(folder)
    paths.published_marts.parent.mkdir()
    shutil.copyfile(refreshed.warehouse.paths.published_marts, paths.published_marts)
    with duckdb.connect(str(paths.published_marts)) as connection:
        yield paths, connection


# --- money


def test_cost_and_revenue_are_those_of_the_marts(site: Site) -> None:
    seen = set()
    for metrics in largest(site, 8):
        page = open_campaign(site, metrics["campaign_id"])
        ((economics,),) = marts_of(site, metrics["campaign_id"], "campaign_economics")
        per = table(page, "Cost and revenue for each message, contact and order, in USD")
        assert [row[1:] for row in per] == [
            [figure(economics.get(cost), "amount"), figure(economics.get(revenue), "amount")]
            for cost, revenue in (
                ("cost_per_message", "revenue_per_message"),
                ("cost_per_delivered", "revenue_per_delivered"),
                ("", "revenue_per_recipient"),
                ("cost_per_unique_clicker", ""),
                ("cost_per_direct_order", "average_order_value"),
            )
        ]
        words = note(page, "money")
        if economics["cost"] is None:
            assert "so there is no profit to show" in words
            continue
        tiles = [text(tile) for tile in page.xpath("//section[@aria-labelledby='money']/dl[@class='tiles']//dd")]
        assert [tile.removesuffix(" USD") for tile in tiles] == [
            money(economics["cost"]),
            money(economics["profit"]),
            rate(economics["roi"]),
            figure(economics["revenue_per_message"], "amount"),
        ]
        seen.add(economics["cost_coverage"] == 1)
        if economics["cost_coverage"] == 1:
            assert "Every message has a cost." in words
        else:
            assert f"Costs cover {rate(economics['cost_coverage'])} of the messages" in words
            if economics["messages_cost_unconverted"]:
                assert f"{count(economics['messages_cost_unconverted'])} could not be converted" in words
        if economics["cost"]:
            assert [row[1] for row in table(page, "Cost by status of the message, in USD")] == [
                money(economics[f"cost_of_{part}"]) for part in ("delivered", "failed", "pending")
            ]
    assert seen, "a campaign has a cost"


def test_other_windows_and_models_are_those_of_the_marts(site: Site) -> None:
    for metrics in largest(site):
        page = open_campaign(site, metrics["campaign_id"])
        windows, models = marts_of(site, metrics["campaign_id"], "campaign_metrics_by_window", "campaign_attribution")
        windows.sort(key=lambda row: row["window_hours"])
        assert [row[1:] for row in table(page, "Orders by conversion window")] == [
            [
                count(row["direct_orders"]),
                count(row["assisted_orders"]),
                money(row["revenue"]),
                money(row["assisted_revenue"]),
                rate(row["conversion_rate_by_clickers"]),
            ]
            for row in windows
        ]
        by_model = {row["model"]: row for row in models}
        assert has_table(page, "Orders by model of attribution") == bool(models)
        if not models:
            continue
        for model, shown in zip(ATTRIBUTION_MODELS, table(page, "Orders by model of attribution"), strict=True):
            row = by_model.get(model)
            assert shown[0].startswith(ATTRIBUTION_MODELS[model])
            if row:
                sign = "+" if row["revenue_over_last"] > 0 else ""
                assert shown[1:] == [
                    count(row["orders"]),
                    figure(row["credited_orders"], "ratio"),
                    money(row["revenue"]),
                    sign + money(row["revenue_over_last"]),
                ]
            else:
                assert shown[1:3] == ["0", "0.00"]


# --- delivery


def test_reasons_of_failures_are_those_of_the_marts(site: Site) -> None:
    seen = 0
    for metrics in largest(site):
        campaign_id = metrics["campaign_id"]
        (failures,) = marts_of(site, campaign_id, "delivery_failures")
        page = open_campaign(site, campaign_id)
        assert has_table(page, "Why messages failed") == bool(failures)
        if not failures:
            continue
        seen += 1
        shown = table(page, "Why messages failed")
        shown += table(page, "More reasons") if has_table(page, "More reasons") else []
        expected: dict[str, int] = {}
        for row in failures:
            words = FAILURE_REASONS[row["reason"]]
            expected[words] = expected.get(words, 0) + row["messages"]
        assert {row[0].removesuffix(" for good"): row[1] for row in shown} == {
            words: count(messages) for words, messages in expected.items()
        }
        assert sum(int(row[1].replace(",", "")) for row in shown) == sum(row["messages"] for row in failures)
        for row in failures:
            (advice,) = [
                found[3] for found in shown if found[0].removesuffix(" for good") == FAILURE_REASONS[row["reason"]]
            ]
            assert (row["advice"] or NO_ADVICE) in advice
        codes = table(page, "Failures by provider and code")
        assert sorted((row[2], row[3], row[4], row[5]) for row in codes) == sorted(
            (row["provider"], row["provider_status"], row["error_code"] or NOTHING, count(row["messages"]))
            for row in failures
        )
        for status in {row["delivery_status"] for row in failures}:
            page = open_campaign(site, campaign_id, tab=status)
            why = page.xpath("//section[@aria-labelledby='reasons-of-tab']//table/tbody/tr/td[2]")
            numbers = [int(text(cell).replace(",", "")) for cell in why]
            assert sum(numbers) == sum(row["messages"] for row in failures if row["delivery_status"] == status)
    assert seen


def test_failures_are_grouped_by_reason_with_their_advice() -> None:
    row = {"reason": "expired", "messages": 3, "advice": "Wait.", "is_permanent": False}
    expired, unknown = by_reason(
        [row, row | {"messages": 2, "advice": None}, row | {"reason": "unknown", "messages": 1, "is_permanent": None}]
    )
    assert (expired.reason, expired.messages, expired.permanent) == (FAILURE_REASONS["expired"], 5, 0)
    assert expired.advice == [("Wait.", 3), (NO_ADVICE, 2)]
    assert (unknown.messages, unknown.share) == (1, 1 / 6)


def test_routes_are_those_of_the_marts(site: Site) -> None:
    for metrics in largest(site):
        (routes,) = marts_of(site, metrics["campaign_id"], "delivery_routes")
        page = open_campaign(site, metrics["campaign_id"])
        shown = table(page, "Routes") + (table(page, "More routes") if has_table(page, "More routes") else [])
        assert sorted(shown) == sorted(
            [
                COUNTRIES[row["country"]] if row["country"] else "Unknown",
                row["provider"] or "unknown",
                count(row["messages"]),
                rate(row["delivery_rate"]),
                *(duration(row[name]) for name in ("p50_ms", "p90_ms", "p99_ms")),
                count(row["within_10_s"]),
                count(row["within_60_s"] - row["within_10_s"]),
                count(row["within_1_h"] - row["within_60_s"]),
                count(row["timed"] - row["within_1_h"]),
            ]
            for row in routes
        )
        assert [int(row[2].replace(",", "")) for row in shown] == sorted(
            (row["messages"] for row in routes), reverse=True
        )
        if sum(row["timed"] for row in routes):
            within = sum(row["within_10_s"] for row in routes)
            assert table(page, "Time to delivery")[0][1] == count(within)


# --- clicks


def test_clicks_by_time_link_and_maker_are_those_of_the_marts(site: Site) -> None:
    seen = 0
    for metrics in largest(site, 6):
        campaign_id = metrics["campaign_id"]
        page = open_campaign(site, campaign_id)
        responses, links, quality = marts_of(
            site, campaign_id, "campaign_response", "campaign_links", "campaign_click_quality"
        )
        assert bool(page.xpath("//figure[@id='response-curve']")) == bool(responses)
        if responses:
            seen += 1
            buckets = sorted(
                (row for row in responses if row["from_minutes"] is not None), key=lambda row: row["from_minutes"]
            )
            shown = page.xpath("//figure[@id='response-curve']//tbody/tr")
            assert [[cell.get("data-value") for cell in row.xpath("./td")][:3] for row in shown] == [
                [str(number) for number in row]
                for row in zip(
                    *(
                        list(accumulate(row[column] for row in buckets))
                        for column in ("clicks", "direct_orders", "unsubscribes")
                    ),
                    strict=True,
                )
            ]
            if buckets[0]["cumulative_click_share"] is not None:
                assert [float(row.xpath("./td")[3].get("data-value")) for row in shown] == [
                    row["cumulative_click_share"] for row in buckets
                ]
        if links:
            shown_links = table(page, "Links by clicks")
            assert sorted(row[1:] for row in shown_links) == sorted(
                [
                    count(row["clicks"]),
                    rate(row["share_of_clicks"]),
                    count(row["human_clicks"]),
                    count(row["unique_clickers"]),
                    count(row["direct_orders"]),
                    money(row["revenue"]),
                ]
                for row in links
            )
            file = csv.DictReader(io.StringIO(site.get("/campaign-links.csv", params={"campaign": campaign_id}).text))
            assert len(list(file)) == len(links)
        if quality:
            (row,) = quality
            if row["bot_clicks"]:
                made = table(page, "Clicks of people and of programs")
                expected = {"People": row["human_clicks"]} | {
                    words: row[f"bot_clicks_{rule}"] for rule, words in BOT_RULES.items() if row[f"bot_clicks_{rule}"]
                }
                assert {name: number for name, number, _ in made} == {
                    name: count(number) for name, number in expected.items()
                }
                people = f"{count(row['human_unique_clickers'])} of {count(row['unique_clickers'])} contacts"
                assert people in note(page, "bots")
            else:
                assert f"All {count(row['clicks'])} clicks look like those of people" in note(page, "bots")
    assert seen


# --- standing


RATES = {
    "Delivery rate": ("rate", lambda row: row["total_sent"] and row["total_delivered"] / row["total_sent"]),
    "Click-to-delivered rate": ("rate", lambda row: row["click_to_delivered_rate"]),
    "Conversion rate": ("rate", lambda row: row["conversion_rate"]),
    "Revenue per message USD": ("amount", lambda row: float(row["revenue"]) / row["total_sent"]),
    "Unsubscribes per 1,000 delivered": (
        "per_thousand",
        lambda row: 1000 * row["unsubscribes"] / row["total_delivered"],
    ),
}


def test_a_campaign_is_ranked_among_those_with_enough_deliveries(sample: Site) -> None:
    metrics = mart_rows(sample.paths.published_marts, "campaign_metrics")
    ranked = [row for row in metrics if row["total_delivered"] >= 100]
    assert 3 < len(ranked) < len(metrics)
    for own in largest(sample, 3):
        page = open_campaign(sample, own["campaign_id"], minimum=100)
        shown = {row[0]: row[1:] for row in table(page, "Rates of this campaign among the account's campaigns")}
        assert set(shown) == set(RATES)
        for name, (unit, rate_of) in RATES.items():
            rates = sorted(value for row in ranked if (value := rate_of(row)) is not None)
            low, median, high = (rates[math.ceil(share * len(rates)) - 1] for share in (0.25, 0.5, 0.75))
            value = rate_of(own)
            better = [other for other in rates if (other < value if name.startswith("Unsub") else other > value)]
            assert shown[name] == [
                figure(value, unit),
                f"{len(better) + 1} of {len(rates)}",
                figure(median, unit),
                f"{figure(low, unit)} to {figure(high, unit)}",
            ]
    small = min(metrics, key=lambda row: row["total_delivered"])
    assert "so it has no rank" in note(open_campaign(sample, small["campaign_id"], minimum=100), "standing")
    assert "No campaign has so many deliveries" in note(
        open_campaign(sample, small["campaign_id"], minimum=1000), "standing"
    )


def test_a_rate_stands_between_the_ends() -> None:
    standing = Standing("Rate", "rate", 0.3, 1, 9, 0.1, 0.2, 0.3, 0.4, 0.5)
    assert [standing.place(value) for value in (0.0, 0.1, 0.3, 0.5, 2.0)] == [0, 0, 50, 100, 100]
    assert standing._replace(greatest=0.1).place(0.1) == 50


def test_the_page_says_how_final_its_figures_are(refreshed_sample: RefreshedWarehouse, tmp_path: Path) -> None:
    with changed(refreshed_sample, tmp_path) as (paths, connection):
        (campaign_id, last_sent_at) = connection.execute(
            "select campaign_id, last_sent_at from marts.campaign_metrics order by total_sent desc, campaign_id limit 1"
        ).fetchone()
        data_until = last_sent_at.date() + timedelta(days=3)
        connection.execute("update marts.build_info set data_until = ?", [data_until])
        connection.execute("delete from insights.figure_maturity")
        connection.execute(
            "insert into insights.figure_maturity select figure, day, 983 + day, 1000, (983 + day) / 1000"
            " from (values ('delivered'), ('clicks')) as figures(figure), range(15) as days(day)"
        )
    with serving(AppContext(Settings(data=tmp_path), paths, refreshed_sample.warehouse.ledger)) as site:
        words = text(open_campaign(site, campaign_id).get_element_by_id("final"))
        assert "3 days after the last message" in words
        assert f"{rate(0.986)} of deliveries and {rate(0.986)} of clicks are known" in words


# --- people


def people_of(site: Site, campaign_id: str) -> dict[str, list[str]]:
    """By tab, the contacts in their order, computed from the marts (orders: one for each order)."""
    file = site.paths.published_marts
    statuses = mart_rows(file, "delivery_status")
    clicks, orders, unsubscribes, suppressed = marts_of(
        site, campaign_id, "click_quality", "attributed_orders", "attributed_unsubscribes", "suppressed_numbers"
    )
    clickers = {row["contact_id"] for row in clicks}
    who_ordered = {row["contact_id"] for row in orders}
    return {
        str(status): sorted(
            row["contact_id"]
            for row in statuses
            if (row["campaign_id"], row["delivery_status"]) == (campaign_id, status)
        )
        for status in DeliveryStatus
    } | {
        "clicked": sorted(clickers),
        "clicked_only": sorted(clickers - who_ordered),
        "ordered": sorted(row["contact_id"] for row in orders),
        "unsubscribed": sorted({row["contact_id"] for row in unsubscribes}),
        "suppressed": sorted(row["contact_id"] for row in suppressed),
    }


def tab_counts(page: html.HtmlElement) -> dict[str, int]:
    links = page.xpath("//nav[@id='details']/a")
    return {text(link).rpartition(" ")[0]: int(text(link).rpartition(" ")[2].replace(",", "")) for link in links}


def test_the_tabs_of_people_hold_those_of_the_marts(site: Site) -> None:
    seen: set[str] = set()
    for metrics in largest(site, 6):
        campaign_id = metrics["campaign_id"]
        for (tab, expected), number in zip(
            people_of(site, campaign_id).items(), tab_counts(open_campaign(site, campaign_id)).values(), strict=True
        ):
            assert number == len(expected), tab
            page = open_campaign(site, campaign_id, tab=tab)
            shown = [
                text(head)
                for head in page.xpath(
                    "//section[@aria-labelledby='people']//table[contains(@class, 'data')]//tbody/tr/th[@class='id']"
                )
            ]
            skipped = page.xpath("//section[@aria-labelledby='skipped']//table[contains(@class, 'data')]//tbody/tr/th")
            assert shown[: len(shown) - len(skipped)] == expected[:50], tab
            file = site.get("/contacts.csv", params={"campaign": campaign_id, "tab": tab}).text
            rows = list(csv.reader(io.StringIO(file)))[1:]
            at = 1 if tab in list(DeliveryStatus) else 0
            assert [row[at].removeprefix("'") for row in rows] == expected, tab
            seen |= {tab} if expected else set()
    assert seen >= {"delivered", "clicked", "clicked_only", "ordered", "unsubscribed"}


def test_people_who_clicked_and_ordered_are_shown_with_what_they_did(sample: Site) -> None:
    orders = mart_rows(sample.paths.published_marts, "attributed_orders")
    campaign_id = min(row["campaign_id"] for row in orders if row["attribution"] == "direct")
    of_campaign = [row for row in orders if row["campaign_id"] == campaign_id]
    for credit in ("direct", "assisted", ""):
        expected = sorted(
            (row for row in of_campaign if credit in ("", row["attribution"])),
            key=lambda row: (row["contact_id"], row["ordered_at"], row["order_id"]),
        )
        page = open_campaign(sample, campaign_id, tab="ordered", credit=credit)
        if expected:
            shown = table(page, "Ordered: orders")
            assert [(row[0], row[2], row[3], row[6]) for row in shown] == [
                (row["contact_id"], row["order_id"], row["attribution"], money(row["revenue"])) for row in expected
            ]
        (choice,) = page.xpath("//nav[@aria-label='Direct or assisted orders']/a[@aria-current]")
        assert text(choice).endswith(f" {len(expected)}")
    (clicks,) = marts_of(sample, campaign_id, "click_quality")
    for contact, _, number, by_people, first, *_ in table(
        open_campaign(sample, campaign_id, tab="clicked"), "Clicked: contacts"
    ):
        own = [row for row in clicks if row["contact_id"] == contact]
        assert (number, by_people) == (str(len(own)), str(sum(not row["is_bot"] for row in own)))
        assert first == min(row["clicked_at"] for row in own).replace(tzinfo=None).strftime("%Y-%m-%d %H:%M")


def test_clicks_of_programs_and_masked_numbers_are_left_out_where_the_build_leaves_them_out(
    refreshed_sample: RefreshedWarehouse, tmp_path: Path
) -> None:
    with changed(refreshed_sample, tmp_path) as (paths, connection):
        connection.execute(
            'update marts.build_info set settings = json_merge_patch(settings, \'{"bot_clicks": "exclude"}\')'
        )
        connection.execute(
            "update marts.campaign_metrics set unique_clickers = human_unique_clickers"
            " from insights.campaign_click_quality as quality where quality.campaign_id = campaign_metrics.campaign_id"
        )
        for mart in ("delivery_status", "skip_reasons", "suppressed_numbers"):
            connection.execute(
                f"alter table marts.{mart} add column mobile_number_hash varchar default 'hash of a number'"
            )
            connection.execute(
                f"update marts.{mart} set mobile_number = left(mobile_number, 3) || '…' || right(mobile_number, 2)"
            )
    with serving(AppContext(Settings(data=tmp_path), paths, refreshed_sample.warehouse.ledger)) as site:
        quality = mart_rows(paths.published_marts, "campaign_click_quality")
        campaign_id = max(
            quality, key=lambda row: (row["unique_clickers"] - row["human_unique_clickers"], row["clicks"])
        )["campaign_id"]
        (clicks,) = marts_of(site, campaign_id, "click_quality")
        clickers = {row["contact_id"] for row in clicks}
        people = {row["contact_id"] for row in clicks if not row["is_bot"]}
        assert people < clickers
        page = open_campaign(site, campaign_id, tab="clicked")
        assert tab_counts(page)["Clicked"] == len(people)
        assert {row[0] for row in table(page, "Clicked: contacts")} <= people
        assert "leave clicks of programs out" in text(page)
        for tab, number in tab_counts(page).items():
            key = next(known.key for known in PEOPLE_TABS if known.label == tab)
            page = open_campaign(site, campaign_id, tab=key, search=next(iter(people)))
            assert ("hash of a number" in text(page)) >= (tab == "Clicked"), (tab, number)


def test_a_search_looks_through_all_tabs_and_says_where_it_found_whom(sample: Site) -> None:
    (statuses,) = [mart_rows(sample.paths.published_marts, "delivery_status")]
    clicks = mart_rows(sample.paths.published_marts, "click_quality")
    sent = {(row["campaign_id"], row["contact_id"]): row for row in statuses}
    click = min(
        (row for row in clicks if (row["campaign_id"], row["contact_id"]) in sent), key=lambda row: row["click_id"]
    )
    campaign_id, contact = click["campaign_id"], click["contact_id"]
    contact_row = sent[campaign_id, contact]
    everybody = people_of(sample, campaign_id)
    half = len(contact) // 2
    for search in (contact, contact.upper(), f"{contact[half:]} {contact[:half]}", contact_row["mobile_number"]):
        page = open_campaign(sample, campaign_id, tab="pending", search=search)
        where = text(page.xpath("//p[@role='status' and @class='found-in']")[0])
        assert tab_counts(page) == {
            text(link).rpartition(" ")[0]: everybody[key].count(contact)
            for link, key in zip(page.xpath("//nav[@id='details']/a"), everybody, strict=True)
        }, search
        assert "Clicked" in where
        assert "Pending" not in where
        assert "No contact of this status matches" in text(page)
    nobody = open_campaign(sample, campaign_id, search="nobody at all")
    assert "No tab has anybody who matches" in text(nobody)
    skips = mart_rows(sample.paths.published_marts, "skip_reasons")
    skip = min(skips, key=lambda row: row["message_id"])
    page = open_campaign(sample, skip["campaign_id"], search=skip["contact_id"])
    assert "SMS skipped (1)" in text(page)
    assert [row[0] for row in table(page, "Skipped contacts")] == [skip["contact_id"]]


# --- what a campaign may also be


def test_orders_without_a_rate_skipped_campaigns_and_late_clicks_are_named(
    refreshed_sample: RefreshedWarehouse, tmp_path: Path
) -> None:
    with changed(refreshed_sample, tmp_path) as (paths, connection):
        connection.execute("use marts")
        campaign_id = connection.execute(
            "select campaign_id from campaign_metrics order by total_clicks desc, campaign_id limit 1"
        ).fetchone()[0]
        connection.execute(
            "insert into attributed_orders select * replace ('late order' as order_id, ? as campaign_id, 'direct' as"
            " attribution, null as revenue, 'CHF' as currency, 120 as total, 21 as refunded_amount)"
            " from attributed_orders limit 1",
            [campaign_id],
        )
        connection.execute(
            "insert into unconverted_orders by name select order_id, contact_id, ordered_at, currency, total,"
            " refunded_amount, 'no_exchange_rate' as reason from attributed_orders where order_id = 'late order'"
        )
        # A hundred clicks within five hours, and one after two months.
        connection.execute("delete from campaign_clicks_by_minute where campaign_id = ?", [campaign_id])
        connection.execute(
            "delete from attributed_orders where campaign_id = ? and order_id <> 'late order'", [campaign_id]
        )
        connection.execute(
            "update attributed_orders set ordered_at = timestamp '2026-03-01 02:00' where order_id = 'late order'"
        )
        connection.execute(
            "insert into campaign_clicks_by_minute select ?, timestamp '2026-03-01' + interval (n * 3) minute, 1"
            " from range(100) as clicks(n) union all select ?, timestamp '2026-05-01 07:00', 1",
            [campaign_id, campaign_id],
        )
        # Nobody was sent this one.
        skipped = "skipped campaign"
        for mart in ("campaign_overview", "campaign_metrics"):
            zeros = ", ".join(
                f"0 as {name}"
                for name, kind in connection.execute(
                    "select column_name, data_type from duckdb_columns() where schema_name = 'marts' and table_name = ?",
                    [mart],
                ).fetchall()
                if kind in ("BIGINT", "DECIMAL(18,2)")
            )
            connection.execute(
                f"insert into {mart} select * replace (? as campaign_id, {zeros}) from {mart} limit 1", [skipped]
            )
        connection.execute(
            "insert into skip_reasons select * replace (? as campaign_id, 'of it ' || message_id as message_id)"
            " from skip_reasons limit 3",
            [skipped],
        )
        connection.execute(
            "update campaigns set body = 'שלום {{ first_name }}, מחכים לך' where campaign_id = ?", [campaign_id]
        )
    with serving(AppContext(Settings(data=tmp_path), paths, refreshed_sample.warehouse.ledger)) as site:
        page = open_campaign(site, campaign_id)
        line = "1 order (CHF 99.00) is not in revenue: no exchange rate."
        assert line in note(page, "overview")
        assert line in note(page, "money")
        assert "without 1 order" in text(page.xpath("//div[@class='tile revenue']")[0])
        assert "1 more came later, until 2026-05-01 07:00" in note(page, "clicks-over-time")
        clicks = table(page, "Clicks by hour")
        assert (clicks[0], clicks[-1]) == (["2026-03-01 00:00", "20"], ["2026-05-01 07:00", "1"])
        assert sum(int(row[1]) for row in clicks) == 101
        (liquid,) = page.xpath("//*[@class='bubble']/bdi")
        assert (liquid.get("dir"), text(liquid)) == ("ltr", "{{ first_name }}")
        page = open_campaign(site, skipped)
        assert "Nobody was sent this campaign. All 3 messages were skipped, most because:" in text(page)
        assert not page.xpath("//*[@id='shares']")


def test_a_build_without_insights_has_the_other_sections(refreshed_sample: RefreshedWarehouse, tmp_path: Path) -> None:
    with changed(refreshed_sample, tmp_path) as (paths, connection):
        connection.execute("drop schema insights cascade")
    with serving(AppContext(Settings(data=tmp_path), paths, refreshed_sample.warehouse.ledger)) as site:
        (metrics,) = largest(site, 1)
        page = open_campaign(site, metrics["campaign_id"], tab="clicked")
        assert "SENDMART_INSIGHTS=true" in text(page)
        assert "Clicked" not in tab_counts(page)
        assert text(page.xpath("//nav[@id='details']/a[@aria-current]")[0]).startswith("Delivered")
        assert site.get("/contacts.csv?tab=clicked").status_code == 404


def test_tiles_lead_to_their_tabs_and_the_contents_to_sections(sample: Site) -> None:
    (metrics,) = largest(sample, 1)
    page = open_campaign(sample, metrics["campaign_id"])
    for link in page.xpath("//dl[@class='tiles']//dt/a | //div[@class='contents']//a"):
        target, _, anchor = link.get("href").partition("#")
        other = html.fromstring(sample.get(target).text) if target else page
        assert other.get_element_by_id(anchor) is not None
        if "tab=" in target:
            current = text(other.xpath("//nav[@id='details']/a[@aria-current]")[0])
            assert link.getparent().getparent().xpath("./dd")[0].text.strip() == current.rpartition(" ")[2]


def test_the_settings_of_suppression_are_named_at_hard_bounces(
    sample: Site, refreshed_sample: RefreshedWarehouse, tmp_path: Path
) -> None:
    (metrics,) = largest(sample, 1)
    assert "exist. After 3 hard bounces in a row" in text(
        open_campaign(sample, metrics["campaign_id"], tab="hard_bounce")
    )
    with changed(refreshed_sample, tmp_path) as (paths, connection):
        connection.execute(
            "update marts.build_info set settings = json_merge_patch(settings, '{\"hard_bounce_suppression\": false}')"
        )
    with serving(AppContext(Settings(data=tmp_path), paths, refreshed_sample.warehouse.ledger)) as site:
        assert "is turned off" in text(open_campaign(site, metrics["campaign_id"], tab="hard_bounce"))


@pytest.mark.parametrize("link", ["/contacts.csv", "/skipped.csv", "/campaign-links.csv"])
def test_a_file_of_an_unknown_campaign_does_not_exist(sample: Site, link: str) -> None:
    response = sample.get(link, params={"campaign": "nope"})
    assert (response.status_code, "no campaign with this ID" in response.text) == (404, True)
