"""Listings say what their figures leave out, and their files name units."""

from collections import Counter

import pytest

from reports.formatting import count
from tests.reports.conftest import Site, serving, with_settings
from tests.reports.reading import csv_rows, open_page, words
from tests.running import RefreshedWarehouse, mart_rows


def notes(site: Site, link: str) -> str:
    return " ".join(words(line) for line in open_page(site, link).xpath("//ul[@class='notes']/li"))


def test_links_say_which_clicks_are_of_campaigns_that_were_never_sent(sample: Site) -> None:
    file = sample.paths.published_marts
    sent = {row["campaign_id"] for row in mart_rows(file, "campaign_metrics")}
    others = [row for row in mart_rows(file, "campaign_links") if row["campaign_id"] not in sent]
    text = notes(sample, "/clicks/links")
    clicks = sum(row["clicks"] for row in others)
    assert (
        (f"{count(clicks)} click" in text and "without a sent message" in text)
        if others
        else "without a sent message" not in text
    )


@pytest.mark.parametrize("path", ["/clicks/links", "/people/pressure"])
def test_pages_with_revenue_say_which_orders_are_not_in_it(sample: Site, path: str) -> None:
    ((expected,),) = sample.rows(
        "select count(*) from marts.attributed_orders join marts.unconverted_orders using (order_id)"
        " join insights.click_quality using (click_id) where attribution = 'direct' and revenue is null"
        " and unconverted_orders.total > unconverted_orders.refunded_amount"
        " and ($path = '/clicks/links' or (click_quality.clicked_at - to_milliseconds(after_ms))::date"
        "   < ((select data_until from marts.build_info) - interval 72 hours)::date)",
        path=path,
    )
    text = notes(sample, path)
    assert f"{count(expected)} order" in text if expected else "not in revenue" not in text


def test_unsubscribes_say_how_many_are_in_no_rate(sample: Site) -> None:
    rows = mart_rows(sample.paths.published_marts, "attributed_unsubscribes")
    none = sum(row["campaign_id"] is None for row in rows)
    text = notes(sample, "/people/unsubscribes")
    assert f"{count(none)} unsubscribe" in text if none else not text


def test_a_file_names_the_units_of_durations_and_amounts(sample: Site) -> None:
    currency = sample.rows("select settings->>'reporting_currency' from marts.build_info")[0][0]
    assert f"Revenue ({currency})" in csv_rows(sample, "/clicks/links.csv")[0]
    rows = mart_rows(sample.paths.published_marts, "attributed_unsubscribes")
    minutes = Counter(
        float(round((row["unsubscribed_at"] - row["sent_at"]).total_seconds() / 60, 2))
        for row in rows
        if row["sent_at"]
    )
    shown = csv_rows(sample, "/people/unsubscribes.csv?sort=after_ms")
    values = Counter(float(row["Time after the message (min)"]) for row in shown if row["Time after the message (min)"])
    assert sorted(values.elements()) == pytest.approx(sorted(minutes.elements()), abs=0.011)


def test_a_raw_file_keeps_milliseconds(refreshed_sample: RefreshedWarehouse) -> None:
    with serving(with_settings(refreshed_sample.warehouse, export_csv_mode="raw")) as site:
        rows = csv_rows(site, "/people/unsubscribes.csv")
    assert all(row["Time after the message"].isdigit() for row in rows if row["Campaign ID"])


def test_a_campaign_that_is_not_known_is_not_found(sample: Site) -> None:
    for link in (
        "/delivery/skipped?campaign=nope",
        "/delivery/skipped.csv?campaign=nope",
        "/clicks/links?campaign=nope",
    ):
        assert sample.get(link).status_code == 404, link
