"""What analysts are given: each query of `docs/queries` on the wide case, and dbt's docs site.

Figures are worked out a second time here, in Python, from the rows that the case must give (`tests/cases/wide/marts`).
"""

import json
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import duckdb
import pytest
import yaml

from models.marts import BASE_MARTS, INSIGHTS, columns
from tests.oracle.admission import read_landing
from tests.oracle.compare import normalized, read_mart
from tests.oracle.marts import Settings, deduplicated
from tests.running import CASES, RefreshedWarehouse, mart_rows, sendmart
from warehouse.config.settings import PROJECT

QUERIES = PROJECT / "docs" / "queries"
FILES = {file.stem: file.read_text(encoding="utf-8") for file in QUERIES.glob("*.sql")}
ATTACH = FILES.pop("attach")
DOCUMENT = (PROJECT / "docs" / "analysts.md").read_text(encoding="utf-8")
LISTED = {
    name: (question, re.findall(r"`(\w+)`", columns))
    for question, name, target, columns in re.findall(
        r"^\| (.+) \| \[([\w-]+)\]\(queries/([\w-]+)\.sql\) \| (.+) \|$", DOCUMENT, flags=re.MULTILINE
    )
    if name == target
}
EXPOSURES = yaml.safe_load((PROJECT / "dbt_project" / "models" / "exposures.yml").read_text(encoding="utf-8"))

Rows = list[dict[str, Any]]


def expected(mart: str) -> Rows:
    """The rows that the wide case must give."""
    rows = read_mart(CASES / "wide" / "marts" / f"{mart}.csv")
    return [{column: normalized(column, text) for column, text in row.items()} for row in rows]


def share(part: Any, whole: Any) -> float | None:
    return float(Fraction(part) / Fraction(whole)) if whole else None


def by(rows: Iterable[dict], *columns: str) -> dict[Any, Rows]:
    """Rows by their values in these columns."""
    groups = defaultdict(list)
    for row in rows:
        groups[tuple(row[column] for column in columns)].append(row)
    return groups


def top(rows: Iterable[tuple], most: int) -> list[tuple]:
    """The rows with the largest figure, which stands last; ties in the order of the first column."""
    return sorted(rows, key=lambda row: (-row[-1], row[0]))[:most]


def picked(rows: Rows, *columns: str) -> list[tuple]:
    return [tuple(row[column] for column in columns) for row in rows]


def revenue_per_message(rows: Rows) -> None:
    sent = [row for row in expected("campaign_metrics") if row["total_sent"]]
    expected_rows = top(((row["campaign_id"], share(row["revenue"], row["total_sent"])) for row in sent), 20)
    assert picked(rows, "campaign_id") == [(campaign_id,) for campaign_id, _ in expected_rows]
    assert [row["revenue_per_message"] for row in rows] == pytest.approx([figure for _, figure in expected_rows])


def campaign_funnel(rows: Rows) -> None:
    reached = Counter(
        row["campaign_id"] for row in expected("delivery_status") if row["delivery_status"] == "delivered"
    )
    sent_to = Counter(row["campaign_id"] for row in expected("delivery_status"))
    direct = Counter(row["campaign_id"] for row in expected("attributed_orders") if row["attribution"] == "direct")
    assert sorted(row["campaign_id"] for row in rows) == sorted(
        row["campaign_id"] for row in expected("campaign_metrics")
    )
    for row in rows:
        campaign = row["campaign_id"]
        counts = (sent_to[campaign], reached[campaign], direct[campaign])
        assert (row["contacts_sent_to"], row["contacts_reached"], row["direct_orders"]) == counts
        assert row["share_reached"] == pytest.approx(share(reached[campaign], sent_to[campaign]))
        assert row["clickers_per_reached"] == pytest.approx(share(row["contacts_clicking"], reached[campaign]))
        assert row["orders_per_clicker"] == pytest.approx(share(direct[campaign], row["contacts_clicking"]))


def click_to_delivered_by_month(rows: Rows) -> None:
    sent = [row for row in expected("campaign_metrics") if row["last_sent_at"]]
    for row in rows:
        campaigns = [
            campaign
            for campaign in sent
            if (campaign["campaign_type"] or "unknown", campaign["last_sent_at"].date().replace(day=1))
            == (row["campaign_type"], row["month"])
        ]
        assert row["campaigns"] == len(campaigns) > 0
        clickers, delivered = (
            sum(campaign[column] for campaign in campaigns) for column in ("unique_clickers", "total_delivered")
        )
        assert row["click_to_delivered_rate"] == pytest.approx(share(clickers, delivered))
    assert sum(row["campaigns"] for row in rows) == len(sent)


def week_over_week(rows: Rows) -> None:
    sent, revenue = Counter(), Counter()
    for row in expected("campaign_metrics"):
        if row["last_sent_at"]:
            monday = row["last_sent_at"].date() - timedelta(days=row["last_sent_at"].weekday())
            sent[monday] += row["total_sent"]
            revenue[monday] += row["revenue"]
    assert picked(rows, "week", "messages_sent", "revenue") == [
        (week, sent[week], revenue[week]) for week in sorted(sent)
    ], "no week of the case is without a campaign"
    assert picked(rows[:1], "messages_sent_more", "revenue_more") == [(None, None)]
    for before, row in pairwise(rows):
        assert row["week"] - before["week"] == timedelta(days=7)
        assert row["messages_sent_more"] == row["messages_sent"] - before["messages_sent"]
        assert row["revenue_more"] == row["revenue"] - before["revenue"]


def direct_and_assisted_revenue(rows: Rows) -> None:
    for row in rows:
        credits = [credit for credit in expected("attributed_orders") if credit["attribution"] == row["attribution"]]
        revenue_of_orders = {credit["order_id"]: credit["revenue"] or 0 for credit in credits}
        assert (row["credits"], row["orders"]) == (len(credits), len(revenue_of_orders))
        assert row["revenue_over_campaigns"] == sum(credit["revenue"] or 0 for credit in credits)
        assert row["revenue_of_orders"] == sum(revenue_of_orders.values())
    direct, assisted = rows
    assert (direct["attribution"], assisted["attribution"]) == ("direct", "assisted")
    assert direct["revenue_of_orders"] == direct["revenue_over_campaigns"]
    assert assisted["revenue_of_orders"] < assisted["revenue_over_campaigns"]


def time_to_order(rows: Rows) -> None:
    last_sent = {(row["campaign_id"], row["contact_id"]): row["last_sent_at"] for row in expected("delivery_status")}
    types = {row["campaign_id"]: row["campaign_type"] for row in expected("campaigns")}
    hours, orders = defaultdict(list), Counter()
    for order in expected("attributed_orders"):
        if order["attribution"] == "direct":
            campaign_type = types.get(order["campaign_id"], "unknown")
            orders[campaign_type] += 1
            sent_at = last_sent.get((order["campaign_id"], order["contact_id"]))
            if sent_at and sent_at <= order["ordered_at"]:
                hours[campaign_type].append((order["ordered_at"] - sent_at) / timedelta(hours=1))
    assert {row["campaign_type"]: row["orders"] for row in rows} == orders
    for row in rows:
        assert row["orders_after_a_message"] == len(hours[row["campaign_type"]])
        assert row["median_hours"] == pytest.approx(median(hours[row["campaign_type"]]))
        ninth_tenth = quantiles(hours[row["campaign_type"]], n=10, method="inclusive")[-1]
        assert row["hours_of_nine_in_ten"] == pytest.approx(ninth_tenth)


def orders_of_several_campaigns(rows: Rows) -> None:
    several = {
        order: credits for order, credits in by(expected("attributed_orders"), "order_id").items() if credits[1:]
    }
    assert {(row["order_id"],) for row in rows} == several.keys()
    for row in rows:
        credits = several[(row["order_id"],)]
        assert [row["direct_campaign_id"]] == [
            credit["campaign_id"] for credit in credits if credit["attribution"] == "direct"
        ]
        assert sorted([row["direct_campaign_id"], *row["assisting_campaign_ids"]]) == sorted(
            credit["campaign_id"] for credit in credits
        )


def unsubscribes_per_thousand(rows: Rows) -> None:
    opted_out = by(expected("attributed_unsubscribes"), "campaign_id")
    contacts = {
        campaign: len({unsubscribe["contact_id"] for unsubscribe in rows}) for (campaign,), rows in opted_out.items()
    }
    sent_to = Counter(row["campaign_id"] for row in expected("delivery_status"))
    expected_rows = top(
        ((campaign, share(1000 * contacts.get(campaign, 0), sent_to[campaign])) for campaign in sent_to), 20
    )
    assert picked(rows, "campaign_id") == [(campaign,) for campaign, _ in expected_rows]
    assert [row["unsubscribes_per_thousand"] for row in rows] == pytest.approx([figure for _, figure in expected_rows])


def clicks_by_hour(rows: Rows) -> None:
    (unmatched,) = [row["events"] for row in expected("unmatched_events") if row["log"] == "clicks"]
    on_sent = sum(row["total_clicks"] for row in expected("campaign_metrics"))
    skipped_to_all = sum(row["total_clicks"] for row in expected("campaign_metrics") if not row["total_sent"])
    assert sum(row["clicks"] for row in rows) == on_sent + unmatched - skipped_to_all
    assert len(rows) == len({row["hour_of_day"] for row in rows}) <= 24
    # Of a click that led to an order we know when it was: an hour later in Berlin, in January.
    known = Counter(
        (row["clicked_at"].hour + 1) % 24
        for row in {row["click_id"]: row for row in expected("attributed_orders")}.values()
    )
    clicks = {row["hour_of_day"]: row["clicks"] for row in rows}
    assert all(clicks.get(hour, 0) >= count for hour, count in known.items())


def most_messaged_contacts(rows: Rows) -> None:
    contacts = by(expected("delivery_status"), "contact_id")
    messages = {contact: sum(row["messages_sent"] for row in rows) for (contact,), rows in contacts.items()}
    expected_contacts = sorted(messages, key=lambda contact: (-len(contacts[(contact,)]), -messages[contact], contact))[
        :20
    ]
    assert picked(rows, "contact_id", "campaigns", "messages") == [
        (contact, len(contacts[(contact,)]), messages[contact]) for contact in expected_contacts
    ]


def unsubscribed_and_sent_to_later(rows: Rows) -> None:
    opted_out = {
        contact: min(row["unsubscribed_at"] for row in rows)
        for (contact,), rows in by(expected("attributed_unsubscribes"), "contact_id").items()
    }
    since = Counter(
        row["contact_id"]
        for row in expected("delivery_status")
        if row["contact_id"] in opted_out and row["last_sent_at"] > opted_out[row["contact_id"]]
    )
    assert {row["contact_id"]: row["campaigns_since"] for row in rows} == since
    assert all(row["unsubscribed_at"] == opted_out[row["contact_id"]] < row["last_sent_at"] for row in rows)


def never_reached_contacts(rows: Rows) -> None:
    suppressed = {row["mobile_number"] for row in expected("suppressed_numbers")}
    expected_contacts = {
        contact: Counter(row["delivery_status"] for row in rows)
        for (contact,), rows in by(expected("delivery_status"), "contact_id").items()
        if len(rows) > 1
        and all(row["delivery_status"] != "delivered" and row["mobile_number"] not in suppressed for row in rows)
    }
    assert {row["contact_id"]: row["campaigns"] for row in rows} == {
        contact: statuses.total() for contact, statuses in expected_contacts.items()
    }
    for row in rows:
        statuses = expected_contacts[row["contact_id"]]
        assert (row["hard_bounces"], row["soft_bounces"], row["pending"]) == (
            statuses["hard_bounce"],
            statuses["soft_bounce"],
            statuses["pending"],
        )


def skip_reasons_by_campaign(rows: Rows) -> None:
    skipped = expected("skip_reasons")
    assert {(row["campaign_id"], row["skip_reason"]): row["messages"] for row in rows} == {
        key: len(messages) for key, messages in by(skipped, "campaign_id", "skip_reason").items()
    }
    sent = {row["campaign_id"]: row["total_sent"] for row in expected("campaign_metrics")}
    of_campaign = Counter(row["campaign_id"] for row in skipped)
    for row in rows:
        attempts = sent[row["campaign_id"]] + of_campaign[row["campaign_id"]]
        assert row["share_of_attempts"] == pytest.approx(share(row["messages"], attempts))


def hard_bounces_by_code(rows: Rows) -> None:
    bounced = [row for row in expected("delivery_status") if row["delivery_status"] == "hard_bounce"]
    assert {(row["provider"], row["error_code"]): row["contacts"] for row in rows} == Counter(
        (row["provider"].lower(), row["error_code"]) for row in bounced
    )
    assert sum(row["share_of_hard_bounces"] for row in rows) == pytest.approx(1)
    hard_bounces = sum(row["hard_bounces"] for row in expected("campaign_overview"))
    assert sum(row["contacts"] for row in rows) == hard_bounces


def pending_after_three_days(rows: Rows) -> None:
    # The latest log date of the case is 13 January.
    old = [row for row in expected("delivery_status") if row["last_sent_at"] < datetime(2026, 1, 11)]
    days = {
        day: list(group)
        for day, group in by([{**row, "day": row["last_sent_at"].date()} for row in old], "day").items()
    }
    assert {(row["sent_on"],): row["contacts"] for row in rows} == {day: len(group) for day, group in days.items()}
    for row in rows:
        pending = [contact for contact in days[(row["sent_on"],)] if contact["delivery_status"] == "pending"]
        assert row["pending"] == len(pending)
        assert row["pending_without_receipt"] == sum(contact["provider_status"] is None for contact in pending)
        assert row["pending_share"] == pytest.approx(share(len(pending), row["contacts"]))


def suppressed_numbers_sent_to_later(rows: Rows) -> None:
    suppressed = {row["mobile_number"]: row["suppressed_at"] for row in expected("suppressed_numbers")}
    sends = deduplicated("sends", read_landing(CASES / "wide" / "landing").rows["sends"], Settings())
    later = [
        row
        for row in sends
        if row["skip_reason"] is None
        and row["mobile_number"] in suppressed
        and row["sent_at"] > suppressed[row["mobile_number"]]
    ]
    assert {row["mobile_number"]: (row["messages_since"], row["campaigns_since"]) for row in rows} == {
        number: (len(group), len({row["campaign_id"] for row in group}))
        for (number,), group in by(later, "mobile_number").items()
    }


def unconverted_orders_by_currency(rows: Rows) -> None:
    assert sum(row["orders"] for row in rows) == len(expected("unconverted_orders"))
    # An order that a campaign is credited with tells its amounts.
    credited = {row["order_id"]: row for row in expected("attributed_orders") if row["revenue"] is None}
    assert {row["currency"] for row in rows} >= {row["currency"] for row in credited.values()} != set()


def unmapped_receipts(rows: Rows) -> None:
    key = ("provider", "provider_status", "error_code", "receipts", "messages")
    assert sorted(picked(rows, *key), key=repr) == sorted(picked(expected("unmapped_receipts"), *key), key=repr)
    last_day = datetime(2026, 1, 13)
    assert all(row["still_coming"] == (row["last_occurred_at"] >= last_day) for row in rows)
    assert {row["still_coming"] for row in rows} == {True, False}


def rejected_rows(rows: Rows) -> None:
    expected_rows = read_mart(CASES / "wide" / "marts" / "rejected_rows.csv")
    assert {(row["log"], row["log_date"], row["source_file"]) for row in rows} == {
        (row["log"], date.fromisoformat(row["log_date"]), row["source_file"]) for row in expected_rows
    }
    assert sum(row["rejected"] for row in rows) >= len(expected_rows)
    for row in expected_rows:
        for column in row["reason_columns"].split():
            assert any(
                reason["source_file"] == row["source_file"] and reason["reason"].startswith(f"{column}:")
                for reason in rows
            )


def builds_published(rows: Rows) -> None:
    metrics = expected("campaign_metrics")
    totals = (len(metrics), sum(row["total_sent"] for row in metrics), sum(row["revenue"] for row in metrics))
    assert picked(rows[:1], "campaigns", "messages_sent", "revenue") == [totals]


CHECKS: dict[str, Callable[[Rows], None]] = {
    check.__name__.replace("_", "-"): check
    for check in (
        revenue_per_message,
        campaign_funnel,
        click_to_delivered_by_month,
        week_over_week,
        direct_and_assisted_revenue,
        time_to_order,
        orders_of_several_campaigns,
        unsubscribes_per_thousand,
        clicks_by_hour,
        most_messaged_contacts,
        unsubscribed_and_sent_to_later,
        never_reached_contacts,
        skip_reasons_by_campaign,
        hard_bounces_by_code,
        pending_after_three_days,
        suppressed_numbers_sent_to_later,
        unconverted_orders_by_currency,
        unmapped_receipts,
        rejected_rows,
        builds_published,
    )
}


def test_every_query_is_listed_under_the_question_it_answers_and_checked() -> None:
    assert len(CHECKS) == 20
    assert CHECKS.keys() == FILES.keys() == LISTED.keys()
    for name, text in FILES.items():
        assert text.startswith(f"-- {LISTED[name][0]}\n"), name


@pytest.mark.parametrize("name", CHECKS)
def test_a_query_answers_with_the_columns_and_figures_it_should(
    name: str, refreshed_wide: RefreshedWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(refreshed_wide.warehouse.paths.data)
    with duckdb.connect() as connection:
        connection.execute(ATTACH)
        answer = connection.execute(FILES[name])
        names = [column[0] for column in answer.description]
        rows = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    assert names == LISTED[name][1]
    assert rows
    CHECKS[name](rows)


def test_every_build_that_is_kept_is_listed_with_when_it_was_published(
    refreshed_wide: RefreshedWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = refreshed_wide.warehouse.paths
    monkeypatch.chdir(paths.data)
    rows = duckdb.sql(FILES["builds-published"]).fetchall()
    assert {row[0] for row in rows} == {file.stem for file in paths.kept_builds.glob("*.duckdb")}
    assert rows[0][:2] == picked(mart_rows(paths.published_marts, "build_info"), "build_id", "published_at")[0]


def test_amounts_of_unconverted_orders_are_less_refunds_and_by_currency(
    refreshed_wide: RefreshedWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = refreshed_wide.warehouse.paths
    monkeypatch.chdir(paths.data)
    orders = by(mart_rows(paths.published_marts, "unconverted_orders"), "currency")
    with duckdb.connect() as connection:
        connection.execute(ATTACH)
        rows_of_query = connection.execute(FILES["unconverted-orders-by-currency"]).fetchall()
    assert {row[:3] for row in rows_of_query} == {
        (currency, len(rows), sum(row["total"] - row["refunded_amount"] for row in rows))
        for (currency,), rows in orders.items()
    }


def test_the_document_names_every_mart() -> None:
    missing = [mart for mart in (*BASE_MARTS, "build_info") if f"`{mart}`" not in DOCUMENT]
    assert not missing, f"docs/analysts.md does not say the grain and joins of: {', '.join(missing)}"


def test_the_queries_of_the_readme_work_as_typed(refreshed_wide: RefreshedWarehouse, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(refreshed_wide.warehouse.paths.data)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## Query the marts")[2].partition("\n## ")[0]
    commands = re.findall(r"^```sh\n(.+?)^```", section, flags=re.MULTILINE | re.DOTALL)
    assert len(commands) == 3
    for command in commands:
        run = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (run.returncode, run.stderr) == (0, ""), command
        assert run.stdout, command


def test_exposures_name_the_marts_that_are_used() -> None:
    used = {
        exposure["name"]: {re.fullmatch(r"ref\('(\w+)'\)", ref)[1] for ref in exposure["depends_on"]}
        for exposure in EXPOSURES["exposures"]
    }
    words = set(re.findall(r"\w+", "\n".join(re.sub("--.*", "", text) for text in FILES.values())))
    assert used["analysts_queries"] == words & set(BASE_MARTS)
    for exposure, marts in (("publication", BASE_MARTS), ("published_insights", INSIGHTS)):
        assert used[exposure] == set(marts), f"{exposure} in dbt_project/models/exposures.yml must list every mart"


@pytest.fixture(scope="module")
def dbt_docs(refreshed_wide: RefreshedWarehouse) -> Path:
    """The page that `sendmart dbt-docs` writes."""
    run = sendmart(refreshed_wide.environment, "dbt-docs")
    assert run.returncode == 0, run.stderr
    page = refreshed_wide.warehouse.paths.data / "dbt-docs.html"
    assert run.stdout == f"Open in a browser: {page}\n"
    return page


def test_dbts_docs_site_describes_every_mart_with_the_types_of_the_build_and_every_exposure(dbt_docs: Path) -> None:
    page = dbt_docs.read_text(encoding="utf-8")
    manifest, catalog = (
        json.JSONDecoder().raw_decode(page, match.start())[0]
        for match in re.finditer(r'\{"metadata": \{"dbt_schema_version": "[^"]+/(?:manifest|catalog)/', page)
    )
    for mart in BASE_MARTS:
        node = f"model.sendmart.{mart}"
        described = {name: column["description"] for name, column in manifest["nodes"][node]["columns"].items()}
        assert described == {column.name: column.description for column in columns(mart)}
        assert {
            name for name, column in catalog["nodes"][node]["columns"].items() if column["type"]
        } == described.keys()
    assert {exposure["name"] for exposure in manifest["exposures"].values()} == {
        exposure["name"] for exposure in EXPOSURES["exposures"] if exposure["name"] != "published_insights"
    }, "the insights are off here"


def test_dbts_docs_site_may_call_no_other_host(dbt_docs: Path) -> None:
    page = dbt_docs.read_text(encoding="utf-8")
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', page)
    assert page.index(policy) < page.index("<script"), "it must come before what it is to hold back"
    allowed = dict(rule.split(maxsplit=1) for rule in policy.split("; "))
    assert allowed["default-src"] == "'none'"
    assert {source for sources in allowed.values() for source in sources.split()} == {
        "'none'",
        "'unsafe-inline'",
        "'unsafe-eval'",
        "data:",
    }


@pytest.mark.torture
def test_a_browser_shows_dbts_docs_site(dbt_docs: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("there is no chromium on this machine")
    rendered_page = subprocess.run(
        [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"),
            *("--virtual-time-budget=10000", "--dump-dom"),
            f"{dbt_docs.as_uri()}#!/model/model.sendmart.campaign_overview",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    # What stands in the page's data, and not in a script, has been drawn.
    drawn = re.sub(r"<script.*?</script>", "", rendered_page, flags=re.DOTALL)
    assert "The tiles of a campaign" in drawn
    assert "Analysts' queries" in drawn
