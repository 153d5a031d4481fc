"""The history of one contact holds all that the marts know about it, and nothing of an erased one."""

from collections import Counter
from pathlib import Path

import pytest

from models.masking import masked_number
from orchestration.stages import erase_contact
from reports.links import contact_path
from reports.queries.contact import is_erased, whole_number
from tests.contact_search import copy_warehouse
from tests.reports.conftest import Site, serving
from tests.reports.reading import all_rows, csv_rows, open_page, tiles
from tests.running import RefreshedWarehouse, mart_rows

MARTS = {
    "delivery_status": "Message sent",
    "skip_reasons": "Skipped: no message sent",
    "attributed_unsubscribes": "Unsubscribed",
    "click_quality": "Click",
    "suppressed_numbers": "Number suppressed",
    "sent_after_opt_out": "Sent after an opt-out",
}


@pytest.mark.parametrize("site_name", ["wide", "sample"])
def test_the_history_of_a_contact_is_complete(request: pytest.FixtureRequest, site_name: str) -> None:
    site: Site = request.getfixturevalue(site_name)
    file = site.paths.published_marts
    has_insights = site_name == "sample"
    marts = {
        mart: mart_rows(file, mart)
        for mart in (*MARTS, "attributed_orders", "unconverted_orders")
        if has_insights or mart not in ("click_quality", "sent_after_opt_out")
    }
    # One contact of each mart: the one with the most rows in it.
    contacts = {Counter(row["contact_id"] for row in rows).most_common(1)[0][0] for rows in marts.values() if rows}
    for contact in sorted(contacts):
        own = {mart: [row for row in rows if row["contact_id"] == contact] for mart, rows in marts.items()}
        numbers = {row["mobile_number"] for mart in ("delivery_status", "skip_reasons") for row in own[mart]}
        own["suppressed_numbers"] = [
            row
            for row in marts["suppressed_numbers"]
            if row["contact_id"] == contact or row["mobile_number"] in numbers
        ]
        shown = all_rows(site, f"/people/contact?id={contact}", "History")
        events = Counter(row["What"] for row in shown)
        events["Click"] += events["Click of a bot"]
        for mart, event in MARTS.items():
            assert events[event] == len(own.get(mart, ())), (contact, event)
        orders = own["attributed_orders"]
        assert events["Order"] == sum(row["attribution"] == "direct" for row in orders)
        assert events["Order, assisted"] == sum(row["attribution"] == "assisted" for row in orders)
        credited = {row["order_id"] for row in orders}
        assert events["Order without a campaign"] == sum(
            row["order_id"] not in credited for row in own["unconverted_orders"]
        )
        statuses = Counter(row["delivery_status"] for row in own["delivery_status"] if row["provider"] is not None)
        assert events["Delivered"] == statuses["delivered"]
        assert events["Hard bounce"] == statuses["hard_bounce"]
        times = [row["When"] for row in shown]
        assert times == sorted(times, reverse=True)
        assert len(csv_rows(site, f"/people/contact.csv?id={contact}")) == len(shown)
        assert tiles(open_page(site, f"/people/contact?id={contact}"))["Campaigns sent"] == str(
            len(own["delivery_status"])
        )


def test_a_whole_number_leads_to_its_contact_and_is_masked_there(sample: Site) -> None:
    rows = mart_rows(sample.paths.published_marts, "delivery_status")
    contacts = {}
    for row in rows:
        contacts.setdefault(row["mobile_number"], set()).add(row["contact_id"])
    number, (contact,) = next((number, ids) for number, ids in contacts.items() if len(ids) == 1)
    for text in (number, f"00{number[1:]}", f"{number[:3]} {number[3:6]}-{number[6:]}"):
        answer = sample.get("/people/contact", params={"id": text})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/people/contact?id={contact}"), text
    page = sample.get(f"/people/contact?id={contact}").text
    assert number not in page
    assert masked_number(number) in page
    assert "Nothing is known" in sample.get("/people/contact", params={"id": number[:-3]}).text


def test_an_unknown_and_an_erased_contact_have_no_history(sample: Site) -> None:
    assert "Nothing is known about this contact" in sample.get("/people/contact?id=nobody").text
    erased = "erased-0123456789abcdef01234567"
    page = sample.get(f"/people/contact?id={erased}").text
    assert "This contact was erased" in page
    assert "<tbody>" not in page
    assert csv_rows(sample, f"/people/contact.csv?id={erased}") == []
    assert is_erased(erased)
    assert not is_erased("erased-by-name")


def test_an_erased_contact_is_found_by_nothing(refreshed_sample: RefreshedWarehouse, tmp_path: Path) -> None:
    warehouse = copy_warehouse(refreshed_sample, tmp_path)
    rows = mart_rows(warehouse.paths.published_marts, "delivery_status")
    contact, number = min((row["contact_id"], row["mobile_number"]) for row in rows)
    erase_contact(warehouse, contact, "request 1")
    (token,) = {row["contact_id"] for row in mart_rows(warehouse.paths.published_marts, "delivery_status")} - {
        row["contact_id"] for row in rows
    }
    with serving(warehouse) as site:
        for text in (contact, number):
            page = site.get("/people/contact", params={"id": text})
            assert "Nothing is known about this contact" in page.text
            assert csv_rows(site, contact_path(text).replace("?", ".csv?")) == []
        assert "This contact was erased" in site.get(contact_path(token)).text


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+44 7700 900123", "+447700900123"), ("0044 7700 900123", "+447700900123"), ("447700900123", "+447700900123"),
        ("ct_1", None), ("", None), ("12", None), ("+", None),
    ],
)  # fmt: skip
def test_a_text_of_digits_may_be_a_number(text: str, number: str | None) -> None:
    assert whole_number(text) == number
