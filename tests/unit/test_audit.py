"""The audit of a candidate: valid marts pass; every fault is found, and its message names the rows but no number."""

import re
import subprocess
import sys

import polars as pl
import pytest

from models import contracts as declarations
from models.check_results import CheckResult
from models.marts import BASE_MARTS, DBT_MARTS, MARTS, CampaignOverview, Mart
from models.masking import masked
from quality.audit import contracts, expected_checks
from quality.audit.contracts import check_contracts
from quality.audit.expectations import check_expectations
from quality.audit.formatting import error_text, format_value
from quality.audit.suites import VOLUMES
from tests.unit.valid_marts import SCHEMA, candidate, valid_marts


def by_name(results: list[CheckResult]) -> dict[str, CheckResult]:
    assert len({result.name for result in results}) == len(results)
    return {result.name: result for result in results}


def failures(results: list[CheckResult]) -> dict[str, str]:
    return {result.name: result.detail for result in results if not result.passed}


NUMBER = re.compile(r"\+\d|\d{9,}")

# Contracts


def contracts_of(*changes: str, threads: int = 1) -> dict[str, str]:
    with candidate(valid_marts(), *changes) as connection:
        results = check_contracts(connection, BASE_MARTS, threads=threads)
    assert [result.name for result in results] == [f"contract_{mart}" for mart in BASE_MARTS]
    assert all(result.is_blocking for result in results)
    return failures(results)


def test_valid_marts_keep_their_contracts():
    assert contracts_of() == {}
    with candidate({}) as connection:
        assert failures(check_contracts(connection, BASE_MARTS)) == {}


@pytest.mark.parametrize(
    ("mart", "change", "message"),
    [
        ("campaigns", "drop table campaigns", "table marts.campaigns is missing"),
        (
            "campaign_overview",
            "alter table campaign_overview alter unique_sends type integer",
            "column unique_sends is integer, not bigint",
        ),
        (
            "campaign_metrics",
            "alter table campaign_metrics alter revenue type decimal(18,3)",
            "column revenue is decimal(18,3), not decimal(18,2)",
        ),
        (
            "skip_reasons",
            "alter table skip_reasons alter skipped_at type timestamptz",
            "column skipped_at is timestamp with time zone, not timestamp",
        ),
        ("delivery_status", "alter table delivery_status drop error_code", "column error_code is missing"),
        ("delivery_status", "alter table delivery_status add extra int", "column extra is not in the contract"),
        (
            "unmatched_events",
            "create or replace table unmatched_events as select kind, log, * exclude (kind, log) from unmatched_events",
            "columns are not in the order log, kind, events, first_at, last_at",
        ),
        (
            "delivery_status",
            "update delivery_status set delivery_status = 'lost' where contact_id = 'p7-1'",
            "1 rows break rules: delivery_status: isin",
        ),
        (
            "delivery_status",
            "update delivery_status set mobile_number = null where contact_id = 'p7-1'",
            "mobile_number: must not be null (1); campaign_id c07, contact_id …; query: select * from",
        ),
        (
            "campaign_metrics",
            "update campaign_metrics set total_delivered = -1 where campaign_id in ('c03', 'c04')",
            "2 rows break rules: total_delivered: greater_than_or_equal_to(0) (2); campaign_id c03; ",
        ),
        (
            "campaign_overview",
            "update campaign_overview set pending = -1",
            "41 rows break rules: pending: greater_than_or_equal_to(0) (41); among them ",
        ),
        (
            "attributed_orders",
            "insert into attributed_orders from attributed_orders where campaign_id = 'c07'",
            "4 rows share 2 keys (order_id, campaign_id); order_id o6, campaign_id c07; order_id o7, campaign_id c07; ",
        ),
        (
            "unmapped_receipts",
            "insert into unmapped_receipts from unmapped_receipts",
            "2 rows share 1 keys (provider, provider_status, error_code); provider twilio, provider_status strange, "
            "error_code null",
        ),
        (
            "suppressed_numbers",
            "insert into suppressed_numbers from suppressed_numbers where campaign_id = 'c03'",
            "2 rows share 1 keys (mobile_number); mobile_number …04; query",
        ),
        (
            "suppressed_numbers",
            "update suppressed_numbers set message_id = null",
            "message_id: must not be null (4); mobile_number …04; mobile_number …04; ",
        ),
    ],
)
def test_a_broken_contract_is_reported(mart, change, message):
    details = contracts_of(change)
    assert details.keys() == {f"contract_{mart}"}
    assert message in details[f"contract_{mart}"]
    assert not NUMBER.search(details[f"contract_{mart}"])


def test_the_query_of_a_broken_rule_finds_its_rows():
    broken = "update delivery_status set messages_sent = 0 where campaign_id = 'c11' and contact_id <> 'p11-0'"
    with candidate(valid_marts(), broken) as connection:
        detail = failures(check_contracts(connection, BASE_MARTS))["contract_delivery_status"]
        connection.execute(f"use {SCHEMA}")
        rows = connection.execute(detail.partition("query: ")[2]).pl()
    assert rows["contact_id"].to_list() == ["p11-1", "p11-2", "p11-3", "p11-4"]


@pytest.mark.parametrize("threads", [1, 3])
def test_rows_are_counted_across_batches(monkeypatch, threads):
    monkeypatch.setattr(contracts, "BATCH_ROWS", 1_000)
    copies = "insert into delivery_status select delivery_status.* replace (contact_id || copy as contact_id) "
    copies += "from delivery_status, range(50) copies(copy)"
    zero = "update delivery_status set messages_sent = 0 where contact_id like 'p1-%'"
    details = contracts_of(copies, zero, threads=threads)
    detail = details["contract_delivery_status"]
    assert detail.startswith("255 rows break rules: messages_sent: greater_than_or_equal_to(1) (255); among them ")
    assert detail.count("contact_id") == 5


def test_a_rule_that_cannot_be_evaluated_fails(monkeypatch):
    class Broken(CampaignOverview):
        @declarations.check("campaign_name")
        def raises(cls, data) -> pl.LazyFrame:
            return data.lazyframe.select(pl.col("campaign_name").str.to_integer() > 0)

    monkeypatch.setitem(contracts.DBT_MARTS, "campaign_overview", Mart(Broken, key=("campaign_id",)))
    details = contracts_of()
    assert details.keys() == {"contract_campaign_overview"}
    assert "could not be checked" in details["contract_campaign_overview"]


# Expectations

INCIDENT = """
update campaign_metrics set campaign_name = null, click_to_delivered_rate = 2, conversion_rate = 2, direct_orders = 30,
    total_delivered = 4, unique_clickers = 3, total_sent = 20, total_segments = 200;
update campaign_metrics set total_sent = 0 where campaign_id < 'c10';
update campaign_overview set soft_bounces = 2, hard_bounces = 4, deleted = 3, unsubscribes = 4;
update delivery_status set messages_sent = 6, delivery_status = 'pending', provider = null;
update delivery_status set last_sent_at = last_sent_at + interval 4 days where campaign_id = 'c39';
insert into skip_reasons
    select skip_reasons.* replace ('FailedHypersonalization' as skip_reason) from skip_reasons, range(10) copies(copy);
insert into attributed_unsubscribes (contact_id, unsubscribed_at) select 'x' || n, '2026-01-05' from range(300) x(n);
insert into attributed_orders
    select 'x' || n, 'never', 'direct', 'p', '2026-01-05', '2026-01-05', 'k', null, 'EUR', 5, 5 from range(200) x(n);
insert into attributed_orders
    select 'x' || n, 'never', 'assisted', 'p', '2026-01-05', '2026-01-05', 'k', 0, 'EUR', 5, 5 from range(900) x(n);
update attributed_orders set revenue = 1050 where order_id = 'o7';
insert into suppressed_numbers
    select '+4470000' || n, '2026-01-05', 'c00', 'm' || n, 'p' || n from range(10000, 10100) x(n);
update campaigns set campaign_name = 'Same', campaign_type = 'MMS', body = null;
insert into unconverted_orders
    select 'x' || n, 'p', '2026-01-05', ['AUD', 'NZD', 'SEK', 'NOK', 'DKK', 'PLN'][n + 1], 5, 0, 'no_exchange_rate'
    from range(6) x(n);
insert into unmapped_receipts
    select 'smpp', 'free text ' || n, null, 1, 1, '2026-01-05', '2026-01-05' from range(201) x(n);
update unmatched_events set events = 400;
insert into campaign_clicks_hourly values ('never', '2026-01-05', 500, 1);
insert into insights.campaign_economics (campaign_id, messages_costed, messages_cost_unconverted, messages_without_cost)
    values ('c00', 100, 50, 100);
insert into insights.delivery_failures (reason, messages) values ('unknown', 100), ('expired', 50);
insert into insights.delivery_routes (delivered, clock_skewed) values (200, 20);
insert into insights.campaign_click_quality (clicks, bot_clicks) values (200, 150);
insert into insights.contact_pressure (messages_before, messages) values (0, 100), (7, 100);
insert into insights.sent_after_opt_out (message_id) select 'm' || n from range(100) x(n);
"""


def check(marts: dict[str, pl.DataFrame], *changes: str) -> dict[str, CheckResult]:
    with candidate(marts, *changes) as connection:
        results = by_name(check_expectations(connection, DBT_MARTS).results)
    assert results.keys() == {f"{kind}_{mart}" for kind in ("volumes", "history") for mart in DBT_MARTS}
    assert not any(result.is_blocking for result in results.values())
    return results


@pytest.fixture(scope="module")
def incident() -> dict[str, CheckResult]:
    return check(valid_marts(), INCIDENT)


@pytest.fixture(scope="module")
def empty_build() -> dict[str, CheckResult]:
    return check({})


def test_ordinary_marts_meet_every_expectation():
    assert failures(check(valid_marts()).values()) == {}


def test_every_expectation_fails_on_the_incident_or_the_empty_build(incident, empty_build):
    assert VOLUMES.keys() <= DBT_MARTS.keys()
    for mart, ranges in VOLUMES.items():
        assert ranges
        details = "\n".join(results[f"volumes_{mart}"].detail for results in (incident, empty_build))
        for usual in ranges:
            assert f"not met: {usual.description}: {usual.metric} is " in details, mart


def test_metrics_outside_their_usual_range_warn(incident):
    assert not any(incident[f"volumes_{mart}"].passed for mart in VOLUMES)
    assert (
        "not met: few messages are pending after three days: pending_after_three_days_share is 1, usually at most 0.1"
        in incident["volumes_delivery_status"].detail
    )
    for result in incident.values():
        assert not re.search(r"\+\d", result.detail)
        assert "could not be checked" not in result.detail


def test_an_empty_build_warns(empty_build):
    details = failures(empty_build.values())
    assert "there are campaigns: campaigns is 0, usually at least 1" in details["volumes_campaign_metrics"]


def test_metrics_that_cannot_be_computed_fail():
    results = check({}, "drop table delivery_status", "alter table unmatched_events drop events")
    details = failures(results.values())
    assert "status_counts" in details["volumes_delivery_status"]
    assert "Table with name delivery_status does not exist" in details["volumes_delivery_status"]
    assert {"history_delivery_status", "volumes_unmatched_events", "history_unmatched_events"} <= details.keys()
    assert "could not be checked" not in results["volumes_campaigns"].detail


def test_an_audit_gives_the_checks_that_the_gate_expects(empty_build):
    with candidate({}) as connection:
        names = {result.name for result in check_contracts(connection, DBT_MARTS)} | empty_build.keys()
    assert names == expected_checks(DBT_MARTS)


def test_a_mart_without_metrics_passes(monkeypatch):
    for marts in (BASE_MARTS, MARTS):
        monkeypatch.setitem(marts, "new_mart", BASE_MARTS["campaigns"])
    results = check(valid_marts())
    assert failures(results.values()) == {}


def test_without_great_expectations_no_metric_outside_its_range_passes(empty_build, monkeypatch):
    monkeypatch.setitem(sys.modules, "quality.audit.validation", None)
    results = check({})
    assert failures(results.values()).keys() >= failures(empty_build.values()).keys()
    assert "could not be checked: ModuleNotFoundError" in results["volumes_campaign_metrics"].detail


def test_great_expectations_is_not_imported_before_it_is_needed():
    program = "import sys, quality.audit.suites; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# Wording


def test_values_and_errors_are_short_and_masked():
    assert masked("from +447700900123 to +33612345678.") == "from +44…23 to +33…78."
    assert format_value("mobile_number", "07700900123") == "…23"
    assert format_value("campaign_name", "a\nb" + "c" * 200).startswith("a bccc")
    assert error_text(ValueError("could not convert '+447700900123'")) == "ValueError: could not convert '+44…23'"
