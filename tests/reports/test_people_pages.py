"""The pages of unsubscribes, suppressed numbers, messages after an opt-out and contact pressure show the figures of the marts."""

from collections import Counter, defaultdict

from models.masking import masked_number
from orchestration.stages import AppContext
from reports.formatting import count, duration, money, per_thousand, rate
from tests.reports.conftest import Site, serving, with_settings
from tests.reports.reading import all_rows, csv_rows, open_page, table, tiles, words
from tests.reports.test_delivery_pages import plain
from tests.running import RefreshedWarehouse, mart_rows


def test_unsubscribes_are_listed_and_counted_by_campaign_and_way(sample: Site) -> None:
    rows = mart_rows(sample.paths.published_marts, "attributed_unsubscribes")
    assert rows
    shown = all_rows(sample, "/people/unsubscribes", "Unsubscribes")
    assert Counter((row["Contact"], row["Campaign"], row["How"]) for row in shown) == Counter(
        (
            row["contact_id"],
            "–" if row["campaign_id"] is None else plain(row["campaign_name"] or row["campaign_id"]),
            row["source"] or "–",
        )
        for row in rows
    )
    page = open_page(sample, "/people/unsubscribes")
    assert tiles(page) == {
        "Unsubscribes": count(len(rows)),
        "Contacts": count(len({row["contact_id"] for row in rows})),
        "Campaigns": count(len({row["campaign_id"] for row in rows} - {None})),
        "Without a campaign": count(sum(row["campaign_id"] is None for row in rows)),
    }
    by_campaign = Counter(row["campaign_id"] for row in rows)
    assert [row["Unsubscribes"] for row in table(page, "By campaign")] == [
        count(number) for number in sorted(by_campaign.values(), reverse=True)[:8]
    ]
    assert {row["How"]: row["Unsubscribes"] for row in table(page, "How they")} == {
        way: count(number) for way, number in Counter(row["source"] or "not known" for row in rows).items()
    }
    by_day = {
        row["Day"]: row["Unsubscribes"] for row in table(page, "Unsubscribes by day") if row["Unsubscribes"] != "0"
    }
    days = Counter(str(row["unsubscribed_at"].date()) for row in rows)
    assert by_day == {day: count(number) for day, number in days.items()}
    known = [row for row in rows if row["sent_at"]]
    assert Counter(row["Time after the message"] for row in shown if row["Campaign"] != "–") == Counter(
        plain(duration((row["unsubscribed_at"] - row["sent_at"]).total_seconds() * 1000)) for row in known
    )


def test_suppressed_numbers_are_listed_with_the_rule_in_words(wide: Site) -> None:
    rows = mart_rows(wide.paths.published_marts, "suppressed_numbers")
    assert rows, "the case has suppressed numbers"
    shown = all_rows(wide, "/people/suppressed", "Suppressed numbers")
    assert Counter((row["Number"], row["Contact"]) for row in shown) == Counter(
        (masked_number(row["mobile_number"]), plain(row["contact_id"])) for row in rows
    )
    assert len(csv_rows(wide, "/people/suppressed.csv")) == len(rows)
    assert rows[0]["mobile_number"] not in wide.get("/people/suppressed.csv").text
    text = wide.get("/people/suppressed").text
    assert "after 3 hard bounces in a row" in text
    assert "SENDMART_HARD_BOUNCE_SUPPRESSION=false" in text
    contact = rows[0]["contact_id"]
    assert len(all_rows(wide, f"/people/suppressed?search={contact}", "Suppressed numbers")) >= 1
    number = rows[0]["mobile_number"].removeprefix("+")
    assert len(all_rows(wide, f"/people/suppressed?search=%2B{number}", "Suppressed numbers")) == 1
    assert "Nothing matches" in wide.get(f"/people/suppressed?search={number[2:8]}").text, "a part of a masked number"


def test_a_part_of_a_number_finds_where_numbers_are_shown(refreshed_wide: RefreshedWarehouse) -> None:
    rows = mart_rows(refreshed_wide.warehouse.paths.published_marts, "suppressed_numbers")
    warehouse: AppContext = with_settings(refreshed_wide.warehouse, reports_show_phone_numbers=True)
    with serving(warehouse) as site:
        number = rows[0]["mobile_number"]
        shown = all_rows(site, f"/people/suppressed?search={number[3:9]}", "Suppressed numbers")
        assert number in [row["Number"] for row in shown]
        assert number in site.get("/people/suppressed.csv").text


def test_other_numbers_of_hard_bounces_are_those_of_the_mart(insights_site: Site) -> None:
    rows = mart_rows(insights_site.paths.published_marts, "suppression_what_if")
    shown = table(open_page(insights_site, "/people/suppressed"), "What another number")
    columns = {
        "Numbers suppressed": "numbers", "Messages sent to them after that": "messages_after",
        "Of these delivered": "delivered_after", "Direct orders from them": "direct_orders_after",
    }  # fmt: skip
    assert [[row[label] for label in columns] for row in shown] == [
        [count(row[name]) for name in columns.values()] for row in sorted(rows, key=lambda row: row["hard_bounces"])
    ]
    for label, name in (("Cost of these messages", "cost_after"), ("Revenue from them", "revenue_after")):
        assert [row[label] for row in shown] == [
            money(row[name]) for row in sorted(rows, key=lambda row: row["hard_bounces"])
        ]


def test_messages_after_an_opt_out_are_listed(sample: Site) -> None:
    rows = mart_rows(sample.paths.published_marts, "sent_after_opt_out")
    page = open_page(sample, "/people/after-opt-out")
    if rows:
        assert tiles(page)["Messages after an opt-out"] == count(len(rows))
        assert tiles(page)["Of these delivered"] == count(sum(row["delivery_status"] == "delivered" for row in rows))
    shown = csv_rows(sample, "/people/after-opt-out.csv")
    assert Counter(row["Contact"] for row in shown) == Counter(row["contact_id"] for row in rows)


def test_contact_pressure_has_its_intervals(sample: Site) -> None:
    rows = mart_rows(sample.paths.published_marts, "contact_pressure")
    assert rows
    shown = table(open_page(sample, "/people/pressure"), "Contact pressure")
    assert len(shown) == len(rows)
    by_key = {(row["Type"], row["Messages in the 7 days before"]): row for row in shown}

    def thousand(value: float | None) -> str:
        return per_thousand(None if value is None else 1000 * value)

    for row in rows:
        before = "7 or more" if row["messages_before"] == 7 else str(row["messages_before"])
        found = by_key[row["campaign_type"] or "Unknown", before]
        assert found["Delivered"] == count(row["delivered"])
        assert found["Click rate"] == plain(rate(row["click_rate"]))
        assert found["Per 1000 delivered"] == thousand(row["unsubscribe_rate"])
        assert (found["Lowest likely"], found["Highest likely"]) == (
            thousand(row["unsubscribe_low"]),
            thousand(row["unsubscribe_high"]),
        )
        assert found["Revenue"] == money(row["revenue"])
        if row["revenue_per_delivered"] is not None:
            assert float(found["Revenue per delivered"].replace(",", "")) == round(row["revenue_per_delivered"], 4)


def test_whom_not_to_send_to_again_is_one_list_without_repeats(sample: Site) -> None:
    file = sample.paths.published_marts
    permanent = {
        (row["campaign_id"], row["delivery_status"], row["provider"], row["provider_status"], row["error_code"])
        for row in mart_rows(file, "delivery_failures")
        if row["is_permanent"]
    }
    reasons = defaultdict(set)
    for row in mart_rows(file, "delivery_status"):
        code = (
            row["campaign_id"],
            row["delivery_status"],
            (row["provider"] or "").lower(),
            row["provider_status"],
            row["error_code"],
        )
        if code in permanent:
            reasons[row["contact_id"], masked_number(row["mobile_number"])].add("Failed for good")
    for row in mart_rows(file, "suppressed_numbers"):
        reasons[row["contact_id"], masked_number(row["mobile_number"])].add("Suppressed after hard bounces")
    assert reasons
    for contact in {row["contact_id"] for row in mart_rows(file, "attributed_unsubscribes")}:
        for key in [key for key in reasons if key[0] == contact] or [(contact, "")]:
            reasons[key].add("Unsubscribed")
    shown = csv_rows(sample, "/people/not-again.csv")
    assert {
        (row["Contact"], row["Number"].lstrip("'")): {reason.partition(":")[0] for reason in row["Why"].split("; ")}
        for row in shown
    } == reasons
    assert len(shown) == len(reasons)
    page = open_page(sample, "/people/suppressed")
    assert f"CSV with {count(len(shown))} rows" in words(page)
    counts = [item.text for item in page.xpath("//ul[@class='not-again']//strong")]
    assert counts == [
        count(sum(reason in found for found in reasons.values()))
        for reason in ("Unsubscribed", "Suppressed after hard bounces", "Failed for good")
    ]
