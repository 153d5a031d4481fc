"""Links of listings: what a reader chose is in them, and days are those of the time zone of the reports."""

from collections import Counter
from datetime import UTC, date
from zoneinfo import ZoneInfo

import pytest

from reports.queries.listings.delivery import FAILURES, ROUTES
from reports.queries.listings.listing import ListingQuery, words_sql
from reports.queries.listings.people import UNSUBSCRIBES
from tests.reports.conftest import Site, serving, with_settings
from tests.reports.reading import all_rows, csv_rows, open_page, table, words
from tests.running import RefreshedWarehouse, mart_rows

CHOSEN = {
    "search": "a b", "campaign": "c 1", "from": "2026-01-02", "to": "2026-01-09", "reason": "expired", "provider": "twilio",
    "sort": "cost", "order": "asc", "page": "3",
}  # fmt: skip


def parameters(link: str) -> dict[str, str]:
    query = link.partition("?")[2].replace("+", " ")
    return dict(part.split("=") for part in query.split("&") if part)


def test_a_link_has_what_was_chosen_and_starts_at_the_first_page() -> None:
    query = ListingQuery.of(FAILURES, CHOSEN)
    assert parameters(query.link(page=query.page)) == CHOSEN
    without_page = {name: value for name, value in CHOSEN.items() if name != "page"}
    assert parameters(query.link()) == without_page
    assert parameters(query.link(FAILURES.csv_path)) == without_page
    assert parameters(query.with_choice("reason", "expired")) == {
        name: value for name, value in without_page.items() if name != "reason"
    }
    assert parameters(query.with_choice("campaign", "c2"))["campaign"] == "c2"
    assert ListingQuery.of(FAILURES, {}).link() == "/delivery/failures"


def test_a_second_click_on_a_heading_sorts_in_the_other_direction() -> None:
    columns = {column.name: column for column in FAILURES.columns}
    query = ListingQuery.of(FAILURES, {})
    assert (query.sort, query.descending) == FAILURES.order
    assert parameters(query.sorted_by(columns["messages"])) == {"sort": "messages", "order": "asc"}
    assert parameters(query.sorted_by(columns["provider"])) == {"sort": "provider", "order": "asc"}
    by_provider = ListingQuery.of(FAILURES, {"sort": "provider", "order": "asc"})
    assert parameters(by_provider.sorted_by(columns["provider"])) == {"sort": "provider", "order": "desc"}


def test_invalid_values_are_ignored() -> None:
    invalid = {
        "from": "yesterday",
        "to": "2026-02-30",
        "sort": "campaign_id; --",
        "order": "up",
        "page": "-1",
        "how": "",
    }
    assert ListingQuery.of(UNSUBSCRIBES, invalid) == ListingQuery.of(UNSUBSCRIBES, {})
    assert ListingQuery.of(ROUTES, {"sort": "p50_ms"}).sort == "messages", "percentiles are of one campaign"
    assert ListingQuery.of(ROUTES, {"sort": "p50_ms", "campaign": "c"}).sort == "p50_ms"


def test_words_of_a_code_are_quoted() -> None:
    assert words_sql("code", {"a'b": "it's"}, "none") == "coalesce(map(['a''b'], ['it''s'])[code], code, 'none')"


def test_days_are_those_of_the_time_zone(refreshed_sample: RefreshedWarehouse) -> None:
    zone = ZoneInfo("Pacific/Chatham")  # more than half a day ahead of UTC, with quarters of an hour
    rows = mart_rows(refreshed_sample.warehouse.paths.published_marts, "attributed_unsubscribes")
    days = Counter(str(row["unsubscribed_at"].replace(tzinfo=UTC).astimezone(zone).date()) for row in rows)
    with serving(with_settings(refreshed_sample.warehouse, report_timezone=zone.key)) as site:
        chart = table(open_page(site, "/people/unsubscribes"), "Unsubscribes by day")
        shown = {row["Day"]: int(row["Unsubscribes"]) for row in chart if row["Unsubscribes"] != "0"}
        assert shown == days
        for day, number in days.items():
            assert len(csv_rows(site, f"/people/unsubscribes.csv?from={day}&to={day}")) == number


def test_pages_of_rows_add_up_to_all_rows(sample: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.database.PAGE_SIZE", 5)
    rows = mart_rows(sample.paths.published_marts, "skip_reasons")
    assert len(rows) > 10, "the sample has more rows than two pages"
    for order, is_descending in (("asc", False), ("desc", True)):
        shown = all_rows(sample, f"/delivery/skipped?sort=contact_id&order={order}", "Skipped messages")
        contacts = [row["Contact"] for row in shown]
        assert contacts == sorted((row["contact_id"] for row in rows), reverse=is_descending)


def test_a_period_is_a_link_with_its_days(sample: Site) -> None:
    page = open_page(sample, "/people/unsubscribes?how=reply")
    links = {words(link): link.get("href") for link in page.xpath("//nav[@aria-label='Period']/a")}
    assert parameters(links["All"]) == {"how": "reply"}
    week = parameters(links["7 days"])
    assert (date.fromisoformat(week["to"]) - date.fromisoformat(week["from"])).days == 6
    chosen = open_page(sample, links["7 days"]).xpath("//nav[@aria-label='Period']/a[@aria-current]")
    assert [words(link) for link in chosen] == ["7 days"]
