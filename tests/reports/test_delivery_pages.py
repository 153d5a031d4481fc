"""The pages of failed messages, routes, incidents and skipped messages show the figures of the marts."""

from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

import pytest

from reports.formatting import count, duration, money, rate
from reports.words import COUNTRIES, FAILURE_REASONS, SKIP_REASONS
from tests.reports.conftest import Site
from tests.reports.reading import all_rows, csv_rows, open_page, table, tiles, words
from tests.running import mart_rows


def plain(text: str) -> str:
    return " ".join(text.split())


def known(values: Any) -> Decimal | None:
    """The sum of those that are not null; None if all are."""
    found = [value for value in values if value is not None]
    return sum(found, Decimal()) if found else None


def test_failures_add_up_over_campaigns_by_reason_and_code(sample: Site) -> None:
    rows = mart_rows(sample.paths.published_marts, "delivery_failures")
    failed = sum(row["messages"] for row in rows)
    groups = defaultdict(list)
    for row in rows:
        groups[
            row["reason"], row["delivery_status"], row["provider"], row["provider_status"], row["error_code"]
        ].append(row)
    shown = all_rows(sample, "/delivery/failures", "Failed messages")
    assert len(shown) == len(groups)
    expected = Counter(
        (
            FAILURE_REASONS[reason], provider, status, code or "–", count(sum(row["messages"] for row in group)),
            plain(rate(sum(row["messages"] for row in group) / failed)), count(len({row["campaign_id"] for row in group})),
            money(known(row["cost"] for row in group)),
        )
        for (reason, _, provider, status, code), group in groups.items()
    )  # fmt: skip
    columns = ("Reason", "Provider", "Provider's status", "Error code", "Messages", "Share", "Campaigns", "Cost")
    assert Counter(tuple(row[name] for name in columns) for row in shown) == expected
    page = open_page(sample, "/delivery/failures")
    assert tiles(page)["Failed messages"] == count(failed)
    assert tiles(page)["Cost of failed messages"] == money(known(row["cost"] for row in rows))
    by_reason = Counter[str]()
    for row in rows:
        by_reason[FAILURE_REASONS[row["reason"]]] += row["messages"]
    assert {row["Reason"]: row["Messages"] for row in table(page, "By reason")} == {
        reason: count(messages) for reason, messages in by_reason.items()
    }


def test_failures_of_one_campaign_are_its_own(sample: Site) -> None:
    rows = mart_rows(sample.paths.published_marts, "delivery_failures")
    (campaign, messages), *_ = Counter({row["campaign_id"]: 0 for row in rows}).most_common()
    messages = sum(row["messages"] for row in rows if row["campaign_id"] == campaign)
    assert tiles(open_page(sample, f"/delivery/failures?campaign={campaign}"))["Failed messages"] == count(messages)
    reason = next(row["reason"] for row in rows if row["campaign_id"] == campaign)
    link = f"/delivery/failures?campaign={campaign}&reason={reason}"
    of_reason = sum(row["messages"] for row in rows if (row["campaign_id"], row["reason"]) == (campaign, reason))
    assert tiles(open_page(sample, link))["Failed messages"] == count(of_reason)
    assert sum(int(row["Messages"]) for row in csv_rows(sample, link.replace("?", ".csv?"))) == of_reason


def test_routes_add_up_over_campaigns_without_their_percentiles(sample: Site) -> None:
    rows = mart_rows(sample.paths.published_marts, "delivery_routes")
    groups = defaultdict(list)
    for row in rows:
        groups[row["country"], row["provider"]].append(row)
    shown = all_rows(sample, "/delivery/routes", "Routes")
    assert len(shown) == len(groups)
    by_route = {(row["Country"], row["Provider"]): row for row in shown}
    for (country, provider), group in groups.items():
        total = Counter[str]()
        for row in group:
            total.update({name: value for name, value in row.items() if isinstance(value, int)})
        route = by_route[COUNTRIES.get(country, "Unknown country"), provider or "Unknown provider"]
        assert route["Messages"] == count(total["messages"])
        assert route["Delivered"] == count(total["delivered"])
        assert route["Delivery rate"] == plain(rate(total["delivered"] / total["messages"]))
        assert route["Failed"] == count(total["soft_bounces"] + total["hard_bounces"] + total["deleted"])
        assert route["Pending"] == count(total["pending"])
        assert route["No receipt"] == count(total["without_receipt"])
        timed = total["timed"]
        for label, name in (
            ("Within 10 s", "within_10_s"),
            ("Within 1 min", "within_60_s"),
            ("Within 1 h", "within_1_h"),
        ):
            assert route[label] == plain(rate(total[name] / timed if timed else None))
        assert route["Cost"] == money(known(row["cost"] for row in group))
        assert route["Campaigns"] == count(len(group))
        assert "Median time" not in route


def test_routes_of_one_campaign_have_its_percentiles(sample: Site) -> None:
    rows = mart_rows(sample.paths.published_marts, "delivery_routes")
    campaign = rows[0]["campaign_id"]
    own = [row for row in rows if row["campaign_id"] == campaign]
    shown = all_rows(sample, f"/delivery/routes?campaign={campaign}", "Routes")
    columns = {"Median time": "p50_ms", "90th percentile": "p90_ms", "99th percentile": "p99_ms"}
    assert Counter(tuple(row[label] for label in columns) for row in shown) == Counter(
        tuple(plain(duration(row[name])) for name in columns.values()) for row in own
    )
    assert len(csv_rows(sample, f"/delivery/routes.csv?campaign={campaign}&sort=p99_ms")) == len(own)


def test_incidents_are_in_words_with_the_campaigns_that_they_hit(insights_site: Site) -> None:
    rows = mart_rows(insights_site.paths.published_marts, "delivery_incidents")
    assert rows, "the case has an incident"
    page = open_page(insights_site, "/delivery/incidents")
    shown = table(page, "Delivery incidents")
    assert {
        (row["First day"], row["Provider"], row["Country"], row["Main reason"], row["Messages"], row["Failed"]) for row in shown
    } == {
        (
            str(row["first_day"]), row["provider"], COUNTRIES.get(row["country"], "Unknown country"),
            FAILURE_REASONS[row["top_reason"]], count(row["messages"]), count(row["failed"]),
        )
        for row in rows
    }  # fmt: skip
    assert {(row["Failure rate"], row["Before"], row["Campaigns"]) for row in shown} == {
        (plain(rate(row["failure_rate"])), plain(rate(row["baseline_rate"])), count(row["campaigns"])) for row in rows
    }
    hit = page.xpath("//dl[@class='hit']//a[starts-with(@href, '/campaigns/')]")
    assert len(hit) == sum(row["campaigns"] for row in rows), "all campaigns of the incident"
    assert "Nothing matches" in insights_site.get("/delivery/incidents?from=2098-01-01").text


@pytest.mark.parametrize("site_name", ["wide", "sample"])
def test_skipped_messages_are_listed_and_counted_by_reason_and_campaign(
    request: pytest.FixtureRequest, site_name: str
) -> None:
    site: Site = request.getfixturevalue(site_name)
    rows = mart_rows(site.paths.published_marts, "skip_reasons")
    page = open_page(site, "/delivery/skipped")
    assert tiles(page)["Skipped messages"] == count(len(rows))
    reasons = Counter(row["skip_reason"] for row in rows)
    assert {row["Reason"]: row["Skipped"] for row in table(page, "By reason")} == {
        SKIP_REASONS[reason]: count(number) for reason, number in reasons.items()
    }
    campaigns = Counter(row["campaign_id"] for row in rows)
    most = [row["Skipped"] for row in table(page, "By campaign")]
    assert most == [count(number) for number in sorted(campaigns.values(), reverse=True)[:8]]
    reason, number = reasons.most_common(1)[0]
    filtered = csv_rows(site, f"/delivery/skipped.csv?reason={reason}")
    assert len(filtered) == number
    assert {row["Details"] for row in filtered} == {
        row["skip_reason_details"] for row in rows if row["skip_reason"] == reason
    }
    contact = rows[0]["contact_id"]
    found = all_rows(site, f"/delivery/skipped?search={contact}", "Skipped messages")
    assert len(found) == sum(contact.lower() in row["contact_id"].lower() for row in rows)


def test_skipped_messages_are_those_of_the_chosen_days(sample: Site) -> None:
    rows = mart_rows(sample.paths.published_marts, "skip_reasons")
    days = sorted(row["skipped_at"].date() for row in rows)
    middle = days[len(days) // 2]
    shown = csv_rows(sample, f"/delivery/skipped.csv?from={middle}&to={middle}")
    assert len(shown) == days.count(middle)
    chart = table(open_page(sample, "/delivery/skipped"), "Skipped messages by day")
    assert {row["Day"]: row["Skipped messages"] for row in chart if row["Skipped messages"] != "0"} == {
        str(day): count(number) for day, number in Counter(days).items()
    }


def test_failures_by_day_are_those_of_the_daily_totals_beside_the_usual_rate(sample: Site) -> None:
    messages, failed = Counter[date](), Counter[date]()
    for row in mart_rows(sample.paths.published_marts, "daily_totals"):
        if row["clock"] == "sent":
            messages[row["day"]] += row["messages"]
            failed[row["day"]] += row["failed"]
    page = open_page(sample, "/delivery/failures")
    links = page.xpath("//figure[@id='by-day']//tbody//th/a/@href")
    chart = table(page, "Failed messages, by the day of sending")
    assert {row["Day"]: row["Failed messages"] for row in chart} == {
        str(day): count(number) for day, number in failed.items()
    }
    rates = {day: failed[day] / messages[day] for day in messages}
    for row, link in zip(chart, links, strict=True):
        day = date.fromisoformat(row["Day"])
        before = [rate for other, rate in rates.items() if day - timedelta(days=28) <= other < day]
        assert row["Failure rate"] == plain(rate(rates[day]))
        assert row["Usual rate"] == plain(rate(median(before) if before else None))
        assert link == f"/delivery/failures?from={day}&to={day}"
    assert "by the day of sending" not in sample.get("/delivery/failures?search=number").text


def test_a_failure_rate_is_over_all_messages_of_the_campaigns(sample: Site) -> None:
    file = sample.paths.published_marts
    sent, failed = Counter[str](), Counter[str]()
    for row in mart_rows(file, "delivery_routes"):
        sent[row["campaign_id"]] += row["messages"]
    for row in mart_rows(file, "delivery_failures"):
        failed[row["campaign_id"]] += row["messages"]
    page = open_page(sample, "/delivery/failures")
    everything = f"{rate(failed.total() / sent.total())} of the {count(sent.total())} messages sent failed."
    assert plain(everything) in words(page)
    assert [row["Failure rate"] for row in table(page, "By campaign")] == [
        plain(rate(number / sent[campaign]))
        for campaign, number in sorted(failed.items(), key=lambda item: (-item[1], item[0]))[:8]
    ]
    campaign, number = failed.most_common(1)[0]
    page = open_page(sample, f"/delivery/failures?campaign={campaign}")
    assert plain(f"{rate(number / sent[campaign])} of the {count(sent[campaign])} messages sent failed.") in words(page)


def test_a_choice_that_no_row_has_is_ignored(sample: Site) -> None:
    everything = tiles(open_page(sample, "/delivery/failures"))
    assert tiles(open_page(sample, "/delivery/failures?reason=bogus&status=hard_bounces&sort=nothing")) == everything
    assert len(csv_rows(sample, "/delivery/skipped.csv?reason=bogus")) == len(csv_rows(sample, "/delivery/skipped.csv"))
