"""The pages for all campaigns, their files and the history of a contact show no whole number unless the setting says so."""

from pathlib import Path
from urllib.parse import quote

import pytest

from models.masking import masked_number
from reports.links import contact_path
from reports.pages.listings import LISTINGS
from reports.queries.listings.not_again import CSV_PATH
from reports.queries.listings.people import SUPPRESSED
from tests.reports.conftest import Site, serving, with_masked_build
from tests.reports.reading import csv_rows
from tests.running import RefreshedWarehouse, mart_rows

LINKS = [link for listing in LISTINGS for link in (listing.path, listing.csv_path)] + [CSV_PATH]


@pytest.mark.parametrize("site_name", ["wide", "sample"])
def test_no_page_and_no_file_holds_a_whole_number(request: pytest.FixtureRequest, site_name: str) -> None:
    site: Site = request.getfixturevalue(site_name)
    file = site.paths.published_marts
    rows = [row for mart in ("delivery_status", "skip_reasons") for row in mart_rows(file, mart)]
    numbers = {row["mobile_number"] for row in rows}
    contact = contact_path(rows[0]["contact_id"])
    for link in (*LINKS, contact, contact.replace("?", ".csv?")):
        answer = site.get(link)
        if site_name == "wide" and answer.status_code == 404:
            continue  # built without insights
        assert [number for number in numbers if number in answer.text] == [], link
    assert masked_number(rows[0]["mobile_number"]) in site.get(contact).text


def test_a_masked_build_has_hashes_in_files_and_finds_nobody_by_number(
    refreshed_sample: RefreshedWarehouse, tmp_path: Path
) -> None:
    original = mart_rows(refreshed_sample.warehouse.paths.published_marts, "delivery_status")[0]
    with serving(with_masked_build(refreshed_sample.warehouse, tmp_path, reports_show_phone_numbers=True)) as site:
        rows = csv_rows(site, "/delivery/skipped.csv")
        assert {row["Hash of the number"] for row in rows} == {"hash of a number"}
        for link in LINKS:
            assert site.get(link).status_code == 200, link
        assert "Hash of the number" in site.get(SUPPRESSED.csv_path).text
        assert "Nothing is known" in site.get(f"/people/contact?id={quote(original['mobile_number'])}").text
        assert "Message sent" in site.get(contact_path(original["contact_id"])).text


def test_a_build_without_insights_says_so(wide: Site) -> None:
    for listing in LISTINGS:
        text = wide.get(listing.path).text
        assert ("built without insights" in text) is listing.is_insight
        assert wide.get(listing.csv_path).status_code == (404 if listing.is_insight else 200)
    assert "built without insights" in wide.get("/clicks/send-times").text
