"""The audit of a candidate: what is in order passes, every single fault is found, named, and told without numbers."""

import re
import subprocess
import sys

import pandera.polars as pa
import polars as pl
import pytest

from models.check_results import CheckResult
from models.marts import DBT_MARTS, CampaignOverview, Mart
from quality.audit import contracts, expected_checks
from quality.audit.contracts import check_contracts
from quality.audit.expectations import check_expectations
from quality.audit.formatting import error_text, masked, select_values, shown
from tests.unit.valid_marts import SCHEMA, candidate, valid_marts


def by_name(results: list[CheckResult]) -> dict[str, CheckResult]:
    assert len({result.name for result in results}) == len(results)
    return {result.name: result for result in results}


def failures(results: list[CheckResult]) -> dict[str, str]:
    return {result.name: result.detail for result in results if not result.passed}


NUMBER = re.compile(r"\+\d|\d{9,}")

# Contracts


def contracts_of(*changes: str) -> dict[str, str]:
    with candidate(valid_marts(), *changes) as connection:
        results = check_contracts(connection, SCHEMA)
    assert [result.name for result in results] == [f"contract_{mart}" for mart in DBT_MARTS]
    assert all(result.is_blocking for result in results)
    return failures(results)


def test_marts_in_order_keep_their_contracts():
    assert contracts_of() == {}
    with candidate({}) as connection:
        assert failures(check_contracts(connection, SCHEMA)) == {}


@pytest.mark.parametrize(
    ("mart", "change", "told"),
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
            "mobile_number: must not be null (1); campaign_id c07, contact_id …; look: select * from",
        ),
        (
            "campaign_metrics",
            "update campaign_metrics set total_delivered = 6 where campaign_id in ('c03', 'c04')",
            "2 rows break rules: total_delivered: total_delivered must not exceed total_sent (2); campaign_id c03; ",
        ),
        (
            "campaign_overview",
            "update campaign_overview set pending = -1",
            "41 rows break rules: pending: greater_than_or_equal_to(0) (41), unique_sends: the five statuses must",
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
            "2 rows share 1 keys (mobile_number); mobile_number …04; look",
        ),
        (
            "suppressed_numbers",
            "update suppressed_numbers set message_id = null",
            "message_id: must not be null (4); mobile_number …04; mobile_number …04; ",
        ),
    ],
)
def test_a_broken_contract_is_told(mart, change, told):
    found = contracts_of(change)
    assert found.keys() == {f"contract_{mart}"}
    assert told in found[f"contract_{mart}"]
    assert not NUMBER.search(found[f"contract_{mart}"])


def test_the_query_of_a_broken_rule_finds_its_rows():
    broken = "update delivery_status set messages_sent = 0 where campaign_id = 'c11' and contact_id <> 'p11-0'"
    with candidate(valid_marts(), broken) as connection:
        detail = failures(check_contracts(connection, SCHEMA))["contract_delivery_status"]
        connection.execute(f"use {SCHEMA}")
        found = connection.execute(detail.partition("look: ")[2]).pl()
    assert found["contact_id"].to_list() == ["p11-1", "p11-2", "p11-3", "p11-4"]


def test_rows_are_counted_across_batches(monkeypatch):
    monkeypatch.setattr(contracts, "BATCH_ROWS", 1_000)
    copies = "insert into delivery_status select delivery_status.* replace (contact_id || copy as contact_id) "
    copies += "from delivery_status, range(50) copies(copy)"
    found = contracts_of(copies, "update delivery_status set messages_sent = 0 where contact_id like 'p1-%'")
    detail = found["contract_delivery_status"]
    assert detail.startswith("255 rows break rules: messages_sent: greater_than_or_equal_to(1) (255); among them ")
    assert detail.count("contact_id") == 5


def test_a_rule_that_cannot_be_carried_out_is_a_failure(monkeypatch):
    class Broken(CampaignOverview):
        @pa.check("campaign_name")
        def raises(cls, data) -> pl.LazyFrame:
            return data.lazyframe.select(pl.col("campaign_name").str.to_integer() > 0)

    monkeypatch.setitem(contracts.DBT_MARTS, "campaign_overview", Mart(Broken, key=("campaign_id",)))
    found = contracts_of()
    assert found.keys() == {"contract_campaign_overview"}
    assert "could not be checked" in found["contract_campaign_overview"]


# Expectations

FAULTS = [
    ("campaign_metrics", "is_in_campaign_metrics", "ghost"),
    ("campaign_metrics", "messages_sent_or_skipped", "idle"),
    ("campaign_metrics", "total_sent, messages_in_delivery_status", "c01"),
    ("campaign_metrics", "is_last_sent_at_of_delivery_status", "c02"),
    ("campaign_metrics", "total_delivered, contacts_delivered", "c03"),
    ("campaign_metrics", "messages_of_contacts_delivered, total_delivered", "c04"),
    ("campaign_metrics", "direct_orders, orders_attributed_direct", "c05"),
    ("campaign_metrics", "assisted_orders, orders_attributed_assisted", "c06"),
    ("campaign_metrics", "revenue_beyond_direct_orders", "c07"),
    ("campaign_metrics", "revenue_beyond_assisted_orders", "c08"),
    ("campaign_metrics", "unsubscribes, contacts_unsubscribed", "c09"),
    ("campaign_metrics", "total_segments, total_sent", "c10"),
    ("campaign_metrics", "has_clickers_if_clicks", "c11"),
    ("campaign_metrics", "is_click_to_delivered_rate_as_defined", "c12"),
    ("campaign_metrics", "is_conversion_rate_as_defined", "c13"),
    ("campaign_overview", "is_in_campaign_metrics", "ghost"),
    ("campaign_overview", "is_in_campaign_overview", "c14"),
    ("campaign_overview", "unique_sends, contacts_in_delivery_status", "c15"),
    ("campaign_overview", "unique_sends, contacts_in_all_tiles", "c15"),
    ("campaign_overview", "total_sent, unique_sends", "c15"),
    ("campaign_overview", "total_delivered, unique_deliveries", "c03"),
    ("campaign_overview", "revenue_beyond_campaign_metrics", "c16"),
    ("campaign_overview", "unsubscribes, unsubscribes_in_campaign_metrics", "c17"),
    ("campaign_overview", "is_named_as_in_campaign_metrics", "c18"),
    ("delivery_status", "expect_column_values_to_be_in_set(delivery_status)", "c19"),
    ("delivery_status", "contacts, contacts_in_campaign_overview", "c19"),
    ("delivery_status", "messages, contacts", "c20"),
    ("delivery_status", "final_without_receipt", "c21"),
    ("delivery_status", "with_half_a_receipt", "c22"),
    ("delivery_status", "changed_without_receipt", "c23"),
    ("skip_reasons", "expect_column_values_to_be_in_set(skip_reason)", "c00"),
    ("skip_reasons", "is_in_campaign_metrics", "ghost"),
    ("skip_reasons", "named_unlike_campaign_metrics", "c01"),
    ("skip_reasons", "without_details", "c02"),
    ("skip_reasons", "sent_as_well", "c03"),
    ("attributed_unsubscribes", "attributed_by_half", "c00"),
    ("attributed_unsubscribes", "sent_only_afterwards", "c01"),
    ("attributed_unsubscribes", "never_sent_the_campaign", "c02"),
    ("attributed_unsubscribes", "named_unlike_campaign_metrics", "c03"),
    ("attributed_orders", "expect_column_values_to_be_in_set(attribution)", "c25"),
    ("attributed_orders", "without_one_direct", "c26"),
    ("attributed_orders", "clicked_later_than_direct", "c28"),
    ("attributed_orders", "told_in_two_ways", "c30"),
    ("attributed_orders", "clicked_only_afterwards", "c33"),
    ("attributed_orders", "refunded_beyond_total", "c34"),
    ("attributed_orders", "earning_after_full_refund", "c35"),
    ("attributed_orders", "without_revenue_and_not_unconverted", "c37"),
    ("suppressed_numbers", "never_sent_the_campaign", "c00"),
    ("suppressed_numbers", "without_that_hard_bounce", "c01"),
    ("campaigns", "expect_column_values_to_be_in_set(campaign_type)", "c05"),
    ("campaigns", "max_segments", "c06"),
    ("campaigns", "is_named_alike_in_campaign_metrics", "c07"),
    ("campaigns", "is_of_that_type_in_campaign_metrics", "c05"),
    ("campaigns", "is_of_that_editor_in_campaign_metrics", "c08"),
    ("unconverted_orders", "with_revenue_all_the_same", "USD"),
    ("unconverted_orders", "later_than_a_converted_one", "USD"),
    ("unconverted_orders", "refunded_beyond_total", "USD"),
    ("unmapped_receipts", "receipts, messages", "strange"),
    ("unmapped_receipts", "last_occurred_at, first_occurred_at", "strange"),
    ("unmapped_receipts", "contacts_decided_by_them", "delivered"),
    ("unmatched_events", "log_and_kind", "clicks message_not_sent"),
    ("unmatched_events", "events, events_at_least", "clicks"),
    ("unmatched_events", "events_at_most, events", "unsubscribes"),
    ("unmatched_events", "is_dated_if_any", "unsubscribes"),
    ("unmatched_events", "is_first_before_last", "receipts"),
    ("campaign_clicks_hourly", "total_clicks, clicks_of_all_hours", "c20"),
    ("campaign_clicks_hourly", "unique_clickers, clickers_of_one_hour", "c21"),
    ("campaign_clicks_hourly", "clickers_of_all_hours, unique_clickers", "c22"),
    ("campaign_clicks_hourly", "not_on_the_hour", "c23"),
]
"""A fault for every invariant: mart, what the failure calls it, and what it names."""

CHANGES = """
insert into delivery_status
    select * replace ('ghost' as campaign_id) from delivery_status where contact_id = 'p0-0';
insert into campaign_metrics
    select * replace ('idle' as campaign_id, null as campaign_name, null as campaign_type, null as last_modified_by)
    from campaign_metrics where campaign_id = 'c40';
update campaign_metrics set total_sent = 6 where campaign_id = 'c01';
update campaign_metrics set last_sent_at = last_sent_at + interval 1 hour where campaign_id = 'c02';
update campaign_metrics set total_delivered = 3 where campaign_id = 'c03';
update campaign_metrics set total_delivered = 5 where campaign_id = 'c04';
update campaign_metrics set direct_orders = 2 where campaign_id = 'c05';
update campaign_metrics set assisted_orders = 2 where campaign_id = 'c06';
update campaign_metrics set revenue = revenue + 0.01 where campaign_id = 'c07';
update campaign_metrics set assisted_revenue = assisted_revenue + 0.01 where campaign_id = 'c08';
update campaign_metrics set unsubscribes = 2 where campaign_id = 'c09';
update campaign_metrics set total_segments = 4 where campaign_id = 'c10';
update campaign_metrics set unique_clickers = 0 where campaign_id = 'c11';
update campaign_metrics set click_to_delivered_rate = 'nan' where campaign_id = 'c12';
update campaign_metrics set conversion_rate = 0.9 where campaign_id = 'c13';
delete from campaign_overview where campaign_id = 'c14';
update campaign_overview set unique_sends = 6 where campaign_id = 'c15';
update campaign_overview set revenue = revenue + 0.01 where campaign_id = 'c16';
update campaign_overview set unsubscribes = 2 where campaign_id = 'c17';
update campaign_overview set campaign_name = null where campaign_id = 'c18';
update delivery_status set delivery_status = 'lost' where contact_id = 'p19-0';
update delivery_status set messages_sent = 0 where campaign_id = 'c20';
update delivery_status set provider = null, provider_status = null where contact_id = 'p21-0';
update delivery_status set provider_status = null where contact_id = 'p22-0';
update delivery_status set status_at = status_at + interval 1 hour where contact_id = 'p23-4';
update skip_reasons set skip_reason = 'Bored' where campaign_id = 'c00';
insert into skip_reasons select * replace ('ghost' as campaign_id) from skip_reasons where campaign_id = 'c04';
update skip_reasons set campaign_name = '+447700900123' where campaign_id = 'c01';
update skip_reasons set skip_reason_details = ' ' where campaign_id = 'c02';
update skip_reasons set message_id = 'm3-0' where campaign_id = 'c03';
update attributed_unsubscribes set message_id = null where campaign_id = 'c00';
update attributed_unsubscribes set sent_at = unsubscribed_at + interval 1 second where campaign_id = 'c01';
update attributed_unsubscribes set contact_id = 'stranger' where campaign_id = 'c02';
update attributed_unsubscribes set campaign_name = 'Other' where campaign_id = 'c03';
update attributed_orders set attribution = 'third' where order_id = 'o25';
update attributed_orders set attribution = 'assisted' where order_id = 'o26' and campaign_id = 'c26';
update attributed_orders set clicked_at = ordered_at where order_id = 'o28' and campaign_id = 'c29';
update attributed_orders set contact_id = 'stranger' where order_id = 'o30' and campaign_id = 'c31';
update attributed_orders set clicked_at = ordered_at + interval 1 second where order_id = 'o33';
update attributed_orders set refunded_amount = total + 1 where order_id = 'o34';
update attributed_orders set refunded_amount = total where order_id = 'o35';
update attributed_orders set revenue = null where order_id = 'o37';
update suppressed_numbers set contact_id = 'stranger' where campaign_id = 'c00';
update suppressed_numbers set suppressed_at = suppressed_at + interval 1 hour where campaign_id = 'c01';
update campaigns set campaign_type = 'FAX' where campaign_id = 'c05';
update campaigns set max_segments = 0 where campaign_id = 'c06';
update campaigns set campaign_name = 'Other' where campaign_id = 'c07';
update campaigns set last_modified_by = 'someone else' where campaign_id = 'c08';
insert into unconverted_orders
    select 'o38', contact_id, ordered_at, 'USD', total, total + 1 from unconverted_orders where order_id = 'u1';
update unmapped_receipts set messages = 3, first_occurred_at = last_occurred_at + interval 1 hour;
insert into unmapped_receipts
    select * replace ('delivered' as provider_status, 1 as messages, last_occurred_at as first_occurred_at)
    from unmapped_receipts;
insert into unmatched_events values ('clicks', 'message_not_sent', 0, null, null);
update campaign_metrics set total_clicks = 3 where campaign_id = 'c40';
update unmatched_events set events = 5, first_at = null where log = 'unsubscribes';
update unmatched_events set first_at = first_at + interval 1 hour where log = 'receipts';
update campaign_clicks_hourly set clicks = 3 where campaign_id = 'c20';
update campaign_clicks_hourly set unique_clickers = 2 where campaign_id = 'c21';
update campaign_clicks_hourly set unique_clickers = 0 where campaign_id = 'c22';
update campaign_clicks_hourly set hour_at = hour_at + interval 1 minute where campaign_id = 'c23';
"""

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
    select 'x' || n, 'p', '2026-01-05', ['AUD', 'NZD', 'SEK', 'NOK', 'DKK', 'PLN'][n + 1], 5, 0 from range(6) x(n);
insert into unmapped_receipts
    select 'smpp', 'free text ' || n, null, 1, 1, '2026-01-05', '2026-01-05' from range(201) x(n);
update unmatched_events set events = 400;
insert into campaign_clicks_hourly values ('never', '2026-01-05', 500, 1);
"""


def audited(marts: dict[str, pl.DataFrame], *changes: str) -> dict[str, CheckResult]:
    with candidate(marts, *changes) as connection:
        results = by_name(check_expectations(connection, SCHEMA).results)
    assert results.keys() == {f"{kind}_{mart}" for kind in ("invariants", "volumes", "history") for mart in DBT_MARTS}
    assert all(result.is_blocking == name.startswith("invariants_") for name, result in results.items())
    return results


@pytest.fixture(scope="module")
def broken() -> dict[str, CheckResult]:
    return audited(valid_marts(), CHANGES)


@pytest.fixture(scope="module")
def of_an_incident() -> dict[str, CheckResult]:
    return audited(valid_marts(), INCIDENT)


@pytest.fixture(scope="module")
def of_nothing() -> dict[str, CheckResult]:
    return audited({})


def test_marts_in_order_are_as_expected():
    assert failures(audited(valid_marts()).values()) == {}


@pytest.mark.parametrize(("mart", "told", "named"), FAULTS)
def test_a_broken_invariant_blocks_and_names_what_breaks_it(broken, mart, told, named):
    result = broken[f"invariants_{mart}"]
    assert not result.passed
    lines = [line for line in result.detail.splitlines() if f"({told})" in line or told in line.split("; ")[0]]
    assert any(re.search(rf"\b{named}\b", line) for line in lines), result.detail


def test_every_expectation_has_been_seen_to_fail(broken, of_an_incident, of_nothing):
    from quality.audit.suites import suites

    assert suites().keys() == DBT_MARTS.keys()
    unseen = []
    for mart, both in suites().items():
        for kind, suite in zip(("invariants", "volumes"), both, strict=True):
            assert suite.expectations
            told = "\n".join(results[f"{kind}_{mart}"].detail for results in (broken, of_an_incident, of_nothing))
            for expectation in suite.expectation_configurations:
                names = ("column", "column_A", "column_B")
                checked = ", ".join(expectation.kwargs[name] for name in names if name in expectation.kwargs)
                if f"{expectation.description}: " not in told or f"({checked})" not in told:
                    unseen.append((mart, expectation.description))
    assert unseen == []


def test_details_say_how_many_what_and_where_and_no_number(broken, of_an_incident):
    assert (
        "not so: total_sent is the messages of delivery_status: 3 of 43 by campaign_id "
        "(expect_column_pair_values_to_be_equal(total_sent, messages_in_delivery_status)); "
    ) in broken["invariants_campaign_metrics"].detail
    assert (
        "campaign_id c01, total_sent 6, messages_in_delivery_status 5" in broken["invariants_campaign_metrics"].detail
    )
    assert "look: select * from marts.campaign_metrics where campaign_id in ('c05', 'c11', 'c13')" in (
        broken["invariants_campaign_metrics"].detail
    )
    for results in (broken, of_an_incident):
        for result in results.values():
            assert not re.search(r"\+\d", result.detail)
            assert "could not be checked" not in result.detail


def test_volumes_out_of_the_ordinary_warn(of_an_incident):
    assert all(not result.passed for name, result in of_an_incident.items() if name.startswith("volumes_"))
    assert (
        "not so: after three days, few messages are pending: pending_after_three_days_share is 1, "
        "ordinarily at most 0.1 (" in of_an_incident["volumes_delivery_status"].detail
    )


def test_an_empty_build_may_warn_and_blocks_nothing(of_nothing):
    found = failures(of_nothing.values())
    assert not any(name.startswith("invariants_") for name in found)
    assert "there are campaigns: campaigns is 0, ordinarily at least 1" in found["volumes_campaign_metrics"]


def test_what_cannot_be_compared_is_a_failure():
    results = audited({}, "drop table delivery_status", "alter table unmatched_events drop events")
    found = failures(results.values())
    assert "audited_statuses" in found["invariants_campaign_overview"]
    assert "Table with name delivery_status does not exist" in found["invariants_campaign_overview"]
    assert {"invariants_delivery_status", "volumes_delivery_status", "invariants_unmatched_events"} <= found.keys()
    assert results["invariants_campaigns"].passed


def test_the_checks_expected_of_an_audit_are_those_that_it_gives(of_nothing):
    with candidate({}) as connection:
        given = {result.name for result in check_contracts(connection, SCHEMA)} | of_nothing.keys()
    assert given == expected_checks()


def test_without_great_expectations_everything_fails(monkeypatch):
    monkeypatch.setitem(sys.modules, "quality.audit.suites", None)
    results = audited({})
    assert all(not result.passed for result in results.values())
    assert "could not be checked: ModuleNotFoundError" in results["invariants_campaigns"].detail


def test_great_expectations_is_not_imported_before_it_is_needed():
    program = "import sys, quality.audit.expectations; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# Wording


def test_numbers_and_quotes_are_kept_in_check():
    assert masked("from +447700900123 to +33612345678.") == "from +44…23 to +33…78."
    assert shown("mobile_number", "07700900123") == "…23"
    assert shown("campaign_name", "a\nb" + "c" * 200).startswith("a bccc")
    assert error_text(ValueError("could not convert '+447700900123'")) == "ValueError: could not convert '+44…23'"
    assert select_values("candidate.marts", "campaigns", "campaign_id", ["it's"]) == (
        "select * from marts.campaigns where campaign_id in ('it''s')"
    )
    assert select_values("candidate.marts", "campaigns", "campaign_id", ["+447700900123"]) == ""
