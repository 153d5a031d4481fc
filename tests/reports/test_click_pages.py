"""The pages of links and of bots show the figures of the marts."""

from collections import Counter, defaultdict
from decimal import Decimal

from reports.formatting import count, money, rate
from tests.reports.conftest import Site
from tests.reports.reading import all_rows, csv_rows, open_page, table, tiles
from tests.reports.test_delivery_pages import plain
from tests.running import mart_rows


def test_links_are_listed_by_campaign_and_add_up_over_campaigns(sample: Site) -> None:
    rows = mart_rows(sample.paths.published_marts, "campaign_links")
    names = {
        row["campaign_id"]: row["campaign_name"] for row in mart_rows(sample.paths.published_marts, "campaign_metrics")
    }
    shown = all_rows(sample, "/clicks/links", "Links")
    columns = (
        "Link",
        "Campaign",
        "Clicks",
        "Clicks of people",
        "Contacts",
        "Share of the campaign",
        "Direct orders",
        "Revenue",
    )
    assert Counter(tuple(row[name] for name in columns) for row in shown) == Counter(
        (
            row["link"] or "–", plain(names.get(row["campaign_id"]) or row["campaign_id"]), count(row["clicks"]),
            count(row["human_clicks"]), count(row["unique_clickers"]), plain(rate(row["share_of_clicks"])),
            count(row["direct_orders"]), money(row["revenue"]),
        )
        for row in rows
    )  # fmt: skip
    page = open_page(sample, "/clicks/links")
    assert tiles(page) == {
        "Clicks": count(sum(row["clicks"] for row in rows)),
        "Clicks of people": count(sum(row["human_clicks"] for row in rows)),
        "Direct orders": count(sum(row["direct_orders"] for row in rows)),
        "Revenue": money(sum((row["revenue"] for row in rows), Decimal())),
    }
    clicks, revenue = Counter[str](), defaultdict(Decimal)
    for row in rows:
        clicks[row["link"]] += row["clicks"]
        revenue[row["link"]] += row["revenue"]
    for row in table(page, "By link"):
        assert (row["Clicks"], row["Revenue"]) == (count(clicks[row["Link"]]), money(revenue[row["Link"]]))


def test_a_search_for_words_of_a_link_or_a_campaign_finds_it(sample: Site) -> None:
    rows = mart_rows(sample.paths.published_marts, "campaign_links")
    link = rows[0]["link"]
    found = csv_rows(sample, f"/clicks/links.csv?search={link.rpartition('/')[2]}")
    assert link in {row["Link"] for row in found}
    name = next(row for row in found if row["Campaign"])["Campaign"]
    of_name = csv_rows(sample, f"/clicks/links.csv?search={name.replace(' ', '+').upper()}")
    assert name in {row["Campaign"] for row in of_name}


def test_clicks_of_bots_are_apart_by_rule(sample: Site) -> None:
    rows = mart_rows(sample.paths.published_marts, "campaign_click_quality")
    page = open_page(sample, "/clicks/bots")
    total = Counter[str]()
    for row in rows:
        total.update({name: value for name, value in row.items() if isinstance(value, int)})
    assert tiles(page) == {
        "Clicks": count(total["clicks"]),
        "Of bots": count(total["bot_clicks"]),
        "Share of bots": plain(rate(total["bot_clicks"] / total["clicks"])),
        "Known programs": count(total["bot_clicks_user_agent"]),
        "Too fast for a person": count(total["bot_clicks_too_fast"]),
        "Several links at once": count(total["bot_clicks_sweep"]),
    }
    shown = all_rows(sample, "/clicks/bots", "Clicks of bots")
    columns = {
        "Clicks": "clicks", "Of people": "human_clicks", "Of bots": "bot_clicks", "Contacts": "unique_clickers",
        "People": "human_unique_clickers", "Orders after a bot's click": "direct_orders_from_bots",
    }  # fmt: skip
    assert Counter(tuple(row[label] for label in columns) for row in shown) == Counter(
        tuple(count(row[name]) for name in columns.values()) for row in rows
    )
    assert Counter(row["People per delivered"] for row in shown) == Counter(
        plain(rate(row["human_click_to_delivered_rate"])) for row in rows
    )
