"""The dbt tests of invariants: they find nothing in marts that agree, and each finds the fault that it is there for.

The SQL is that of `dbt_project/tests` and of the `expression_is_true` tests of the marts' yml, run on DuckDB without dbt.

Not here: that dbt runs them on a candidate and that the gate holds on them (`tests/pipeline/test_dbt_project.py`).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import pytest
import yaml

from models.marts import BASE_MARTS
from tests.unit.valid_marts import SCHEMA, candidate, valid_marts

DBT_PROJECT = Path(__file__).parents[2] / "dbt_project"
VARS = yaml.safe_load((DBT_PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))["vars"] | {
    "hard_bounces_to_suppress": 1
}

INTERMEDIATE_MODELS = """
create table int_clicks_deduplicated as
    select campaign_id from campaign_metrics, range(2) as clicks(click) where total_clicks > 0;
create table int_orders_converted as
    select order_id, any_value(revenue) as revenue, 'EUR' as currency, date '2026-01-01' as exchange_rate_date,
        any_value(ordered_at) as ordered_at
    from attributed_orders group by order_id
    union select order_id, null, null, null, null from unconverted_orders;
create table int_exchange_rates_deduplicated as
    from (values ('EUR', date '2026-01-05'), ('GBP', date '2026-01-01')) as rates(currency, rate_date);
create table int_messages_enriched as select message_id, 0.5::decimal(18,6) as cost from delivery_status;
create table int_orders_deduplicated as select order_id, 'placed' as status from int_orders_converted;
create table int_receipts_unmatched as select 'unsent' as message_id from range(2);
create table int_messages_resolved as
    select message_id, campaign_id, contact_id, mobile_number, true as is_sent, null as skip_reason, delivery_status,
        status_at, last_sent_at as sent_at, 1 as cost, if(campaign_id = 'c07', 'GBP', 'USD') as cost_currency
    from delivery_status
    union all by name
    select message_id, campaign_id, contact_id, mobile_number, false as is_sent, skip_reason from skip_reasons
    union all by name
    select 'unsent' as message_id, false as is_sent;
"""
"""What the models before these marts would hold."""


def singular_tests() -> dict[str, str]:
    """The SQL of the tests in `dbt_project/tests`, by name."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.globals["counted_clicks"] = lambda: "int_clicks_deduplicated"
    return {
        file.stem: environment.from_string(file.read_text(encoding="utf-8")).render(ref=str, var=VARS.__getitem__)
        for file in sorted((DBT_PROJECT / "tests").glob("*.sql"))
    }


def expression_tests() -> Iterator[tuple[str, str]]:
    """Of the `expression_is_true` tests of marts: mart and expression."""
    for mart in BASE_MARTS:
        properties = yaml.safe_load((DBT_PROJECT / "models" / "marts" / f"{mart}.yml").read_text(encoding="utf-8"))
        for test in properties["models"][0].get("data_tests", []):
            if isinstance(test, dict) and "expression_is_true" in test:
                yield mart, test["expression_is_true"]["arguments"]["expression"]


SINGULAR_TESTS = singular_tests()

FAULTS = [
    # (test, the fault, what names it, the problem where a test finds several kinds)
    (
        "assert_campaign_details_agree_between_marts",
        "update skip_reasons set campaign_name = 'Other' where campaign_id = 'c01'",
        "c01",
        "campaign_name is not that of campaign_metrics",
    ),
    (
        "assert_campaign_details_agree_between_marts",
        "update attributed_unsubscribes set campaign_name = 'Other' where campaign_id = 'c03'",
        "c03",
        "campaign_name is not that of campaign_metrics",
    ),
    (
        "assert_campaign_details_agree_between_marts",
        "update campaigns set campaign_name = 'Other' where campaign_id = 'c07'",
        "c07",
        "campaign_name, campaign_type or last_modified_by is not that of campaign_metrics",
    ),
    (
        "assert_campaign_details_agree_between_marts",
        "update campaigns set campaign_type = 'MMS' where campaign_id = 'c05'",
        "c05",
        "campaign_name, campaign_type or last_modified_by is not that of campaign_metrics",
    ),
    (
        "assert_campaign_details_agree_between_marts",
        "update campaigns set last_modified_by = 'someone else' where campaign_id = 'c08'",
        "c08",
        "campaign_name, campaign_type or last_modified_by is not that of campaign_metrics",
    ),
    (
        "assert_campaign_details_agree_between_marts",
        "delete from campaigns where campaign_id = 'c09'",
        "c09",
        "campaign_name, campaign_type or last_modified_by is not that of campaign_metrics",
    ),
    (
        "assert_campaign_rates_follow_from_counts",
        "update campaign_metrics set total_segments = 4 where campaign_id = 'c10'",
        "c10",
        "total_segments is less than total_sent",
    ),
    (
        "assert_campaign_rates_follow_from_counts",
        "update campaign_metrics set unique_clickers = 0 where campaign_id = 'c11'",
        "c11",
        "there are clicks without clickers, or clickers without clicks",
    ),
    (
        "assert_campaign_rates_follow_from_counts",
        "update campaign_metrics set click_to_delivered_rate = 'nan' where campaign_id = 'c12'",
        "c12",
        "click_to_delivered_rate is not unique_clickers / total_delivered",
    ),
    (
        "assert_campaign_rates_follow_from_counts",
        "update campaign_metrics set click_to_delivered_rate = null where campaign_id = 'c12'",
        "c12",
        "click_to_delivered_rate is not unique_clickers / total_delivered",
    ),
    (
        "assert_campaign_rates_follow_from_counts",
        "update campaign_metrics set conversion_rate = 0.9 where campaign_id = 'c13'",
        "c13",
        "conversion_rate is not direct_orders / unique_clickers",
    ),
    (
        "assert_campaign_rates_follow_from_counts",
        "update campaign_metrics set conversion_rate = 0 where campaign_id = 'c40'",
        "c40",
        "conversion_rate is not direct_orders / unique_clickers",
    ),
    (
        "assert_campaigns_have_messages_sent_or_skipped",
        "insert into campaign_metrics select * replace ('idle' as campaign_id) from campaign_metrics where total_sent = 0",
        "idle",
        "",
    ),
    (
        "assert_campaigns_have_messages_sent_or_skipped",
        "update skip_reasons set campaign_id = 'ghost' where campaign_id = 'c04'",
        "ghost",
        "",
    ),
    (
        "assert_clicks_are_on_campaigns_or_unmatched",
        "update campaign_metrics set total_clicks = 3 where campaign_id = 'c39'",
        81,
        "",
    ),
    (
        "assert_clicks_are_on_campaigns_or_unmatched",
        "update campaign_metrics set total_clicks = 3 where campaign_id = 'c40'",
        3,
        "",
    ),
    (
        "assert_contacts_and_messages_add_up_by_campaign",
        "update campaign_metrics set total_sent = 6 where campaign_id = 'c01'",
        "c01",
        "total_sent is not the sum of messages_sent in delivery_status",
    ),
    (
        "assert_contacts_and_messages_add_up_by_campaign",
        "insert into delivery_status select * replace ('ghost' as campaign_id) from delivery_status limit 1",
        "ghost",
        "total_sent is not the sum of messages_sent in delivery_status",
    ),
    (
        "assert_contacts_and_messages_add_up_by_campaign",
        "update campaign_metrics set last_sent_at = last_sent_at + interval 1 hour where campaign_id = 'c02'",
        "c02",
        "last_sent_at is not the latest of delivery_status",
    ),
    (
        "assert_contacts_and_messages_add_up_by_campaign",
        "update campaign_metrics set total_delivered = 3 where campaign_id = 'c03'",
        "c03",
        "total_delivered is less than the contacts delivered to",
    ),
    (
        "assert_contacts_and_messages_add_up_by_campaign",
        "update campaign_metrics set total_delivered = 5 where campaign_id = 'c04'",
        "c04",
        "total_delivered is more than all messages to the contacts delivered to",
    ),
    (
        "assert_contacts_and_messages_add_up_by_campaign",
        "update campaign_overview set unique_sends = 6 where campaign_id = 'c15'",
        "c15",
        "unique_sends is not the number of contacts in delivery_status",
    ),
    *(
        (
            "assert_contacts_and_messages_add_up_by_campaign",
            f"update campaign_overview set {tile} = {tile} + 1 where campaign_id = 'c19'",
            "c19",
            "a tile of campaign_overview is not the number of contacts with its status",
        )
        for tile in ("unique_deliveries", "pending", "soft_bounces", "hard_bounces", "deleted")
    ),
    (
        "assert_contacts_were_sent_the_campaign",
        "update attributed_unsubscribes set contact_id = 'stranger' where campaign_id = 'c02'",
        "stranger",
        "the contact is not in delivery_status",
    ),
    (
        "assert_contacts_were_sent_the_campaign",
        "update suppressed_numbers set contact_id = 'stranger' where campaign_id = 'c00'",
        "stranger",
        "the contact is not in delivery_status, or the message differs there",
    ),
    (
        "assert_contacts_were_sent_the_campaign",
        "update suppressed_numbers set suppressed_at = suppressed_at + interval 1 hour where campaign_id = 'c01'",
        "c01",
        "the contact is not in delivery_status, or the message differs there",
    ),
    (
        "assert_contacts_were_sent_the_campaign",
        "update delivery_status set delivery_status = 'pending' where campaign_id = 'c01'",
        "c01",
        "the contact is not in delivery_status, or the message differs there",
    ),
    (
        "assert_contacts_were_sent_the_campaign",
        "update delivery_status set mobile_number = '+33600000000' where campaign_id = 'c01'",
        "c01",
        "the contact is not in delivery_status, or the message differs there",
    ),
    (
        "assert_credited_orders_are_consistent",
        "update attributed_orders set attribution = 'assisted' where order_id = 'o26' and campaign_id = 'c26'",
        "o26",
        "the order does not have exactly one direct campaign",
    ),
    (
        "assert_credited_orders_are_consistent",
        "update attributed_orders set attribution = 'direct' where order_id = 'o26'",
        "o26",
        "the order does not have exactly one direct campaign",
    ),
    (
        "assert_credited_orders_are_consistent",
        "update attributed_orders set clicked_at = ordered_at where order_id = 'o28' and campaign_id = 'c29'",
        "o28",
        "the campaign was clicked after the direct campaign",
    ),
    *(
        (
            "assert_credited_orders_are_consistent",
            f"update attributed_orders set {column} = {value} where order_id = 'o30' and campaign_id = 'c31'",
            "o30",
            "the order differs between its rows",
        )
        for column, value in {
            "contact_id": "'stranger'",
            "ordered_at": "ordered_at + interval 1 day",
            "revenue": "null",
            "currency": "'EUR'",
            "total": "total + 1",
            "refunded_amount": "1",
        }.items()
    ),
    (
        "assert_credited_orders_are_consistent",
        "update attributed_orders set refunded_amount = total where order_id = 'o35'",
        "o35",
        "the order was refunded in full and has revenue",
    ),
    *(
        (
            "assert_hourly_clicks_add_up_by_campaign",
            f"update campaign_clicks_hourly set {change} where campaign_id = 'c20'",
            "c20",
            problem,
        )
        for change, problem in {
            "clicks = 3": "total_clicks is not the sum of the clicks of all hours",
            "unique_clickers = 2": "an hour has more clickers than the campaign",
            "unique_clickers = 0": "the campaign has more clickers than its hours together",
            "hour_at = hour_at + interval 1 minute": "an hour does not start on the hour",
        }.items()
    ),
    *(
        (
            "assert_minutes_of_clicks_add_up_to_hours",
            f"update campaign_clicks_by_minute set {change} where campaign_id = 'c20'",
            "c20",
            problem,
        )
        for change, problem in {
            "clicks = 3": "the clicks of the hour are not the sum of the clicks of its minutes",
            "minute_at = minute_at + interval 1 hour": "the clicks of the hour are not the sum of the clicks of its minutes",
            "minute_at = minute_at + interval 1 second": "a minute does not start on the minute",
        }.items()
    ),
    *(
        (
            "assert_orders_and_revenue_add_up_by_campaign",
            f"update campaign_metrics set {column} = {column} + {more} where campaign_id = 'c05'",
            "c05",
            "",
        )
        for column, more in {
            "direct_orders": 1,
            "assisted_orders": 1,
            "revenue": 0.01,
            "assisted_revenue": 0.01,
        }.items()
    ),
    (
        "assert_overview_has_the_campaigns_of_metrics",
        "insert into campaign_overview select * replace ('ghost' as campaign_id) from campaign_overview limit 1",
        "ghost",
        "",
    ),
    (
        "assert_overview_has_the_campaigns_of_metrics",
        "delete from campaign_overview where campaign_id = 'c14'",
        "c14",
        "",
    ),
    *(
        (
            "assert_overview_has_the_campaigns_of_metrics",
            f"update campaign_overview set {change} where campaign_id = 'c16'",
            "c16",
            "",
        )
        for change in ("revenue = revenue + 0.01", "unsubscribes = unsubscribes + 1", "campaign_name = null")
    ),
    (
        "assert_placed_orders_are_converted_or_listed",
        "update attributed_orders set revenue = null where order_id = 'o37'",
        "o37",
        "",
    ),
    ("assert_placed_orders_are_converted_or_listed", "delete from unconverted_orders where order_id = 'u2'", "u2", ""),
    (
        "assert_placed_orders_are_converted_or_listed",
        "insert into unconverted_orders select * replace ('o38' as order_id) from unconverted_orders limit 1",
        "o38",
        "",
    ),
    (
        "assert_placed_orders_are_converted_or_listed",
        "update int_orders_converted set revenue = -1 where order_id = 'o38'",
        "o38",
        "",
    ),
    ("assert_receipts_are_matched_or_listed", "delete from int_receipts_unmatched", "unsent", ""),
    (
        "assert_receipts_are_matched_or_listed",
        "insert into int_receipts_unmatched values ('m1-0')",
        "m1-0",
        "",
    ),
    ("assert_sends_are_sent_or_skipped", "delete from skip_reasons where campaign_id = 'c01'", 221, ""),
    (
        "assert_sends_are_sent_or_skipped",
        "update campaign_metrics set total_sent = 6 where campaign_id = 'c01'",
        201,
        "",
    ),
    (
        "assert_skipped_messages_were_not_sent",
        "update skip_reasons set message_id = 'm3-0' where campaign_id = 'c03'",
        "m3-0",
        "the message was sent, too",
    ),
    (
        "assert_skipped_messages_were_not_sent",
        "update skip_reasons set skip_reason_details = ' ' where campaign_id = 'c02'",
        "c02",
        "skip_reason_details is blank",
    ),
    (
        "assert_statuses_follow_from_receipts",
        "update delivery_status set error_code = '30003' where contact_id = 'p22-4'",
        "c22",
        "error_code is set without a receipt, or status_at is later than last_sent_at",
    ),
    (
        "assert_statuses_follow_from_receipts",
        "update delivery_status set status_at = status_at + interval 1 hour where contact_id = 'p23-4'",
        "c23",
        "error_code is set without a receipt, or status_at is later than last_sent_at",
    ),
    (
        "assert_statuses_follow_from_receipts",
        "update unmapped_receipts set provider_status = 'delivered'",
        "delivered",
        "a receipt that no provider vocabulary knows decides a status",
    ),
    *(
        (
            "assert_suppressed_numbers_bounced",
            f"update {table} set {change} where message_id = 'm1-4'",
            "+447900010004",
            "",
        )
        for table, change in {
            "suppressed_numbers": "suppressed_at = suppressed_at + interval 1 hour",
            "int_messages_resolved": "delivery_status = 'pending'",
        }.items()
    ),
    *(
        (
            "assert_suppressed_numbers_bounced",
            f"update suppressed_numbers set {column} = 'other' where message_id = 'm1-4'",
            "+447900010004",
            "",
        )
        for column in ("campaign_id", "contact_id", "message_id")
    ),
    (
        "assert_unconverted_orders_lack_an_exchange_rate",
        "update attributed_orders set revenue = 1 where order_id = 'u1'",
        "u1",
        "the order has revenue in attributed_orders",
    ),
    (
        "assert_unconverted_orders_lack_an_exchange_rate",
        "update unconverted_orders set currency = 'USD' where order_id = 'u2'",
        "u2",
        "an order in that currency was converted on the same day or earlier",
    ),
    (
        "assert_unconverted_orders_lack_an_exchange_rate",
        "update unconverted_orders set refunded_amount = total + 1 where order_id = 'u2'",
        "u2",
        "refunded_amount is more than total",
    ),
    (
        "assert_exchange_rates_are_recent",
        "update int_orders_converted set exchange_rate_date = '2025-12-28' where order_id = 'o7'",
        "EUR orders: 1, 10.50 USD in all, oldest rate 2025-12-28",
        "",
    ),
    (
        "assert_exchange_rates_are_recent",
        "update int_exchange_rates_deduplicated set rate_date = '2025-12-28' where currency = 'GBP'",
        "GBP messages: 5, 2.50 USD in all, oldest rate 2025-12-28",
        "",
    ),
    (
        "assert_unmatched_events_are_of_a_known_kind",
        "insert into unmatched_events values ('clicks', 'message_not_sent', 0, null, null)",
        "message_not_sent",
        "",
    ),
    (
        "assert_unmatched_events_are_of_a_known_kind",
        "update unmatched_events set first_at = first_at + interval 1 hour where log = 'receipts'",
        "receipts",
        "",
    ),
    (
        "assert_unsubscribes_add_up_by_campaign",
        "update campaign_metrics set unsubscribes = 2 where campaign_id = 'c09'",
        "c09",
        "",
    ),
    (
        "assert_unsubscribes_add_up_by_campaign",
        "update attributed_unsubscribes set campaign_id = 'ghost' where campaign_id = 'c00'",
        "ghost",
        "",
    ),
    (
        "assert_unsubscribes_are_attributed_or_unmatched",
        "update unmatched_events set events = 5 where log = 'unsubscribes'",
        5,
        "",
    ),
    (
        "assert_unsubscribes_are_attributed_or_unmatched",
        "update unmatched_events set events = 0 where log = 'unsubscribes'",
        0,
        "",
    ),
]

ROW_FAULTS = [
    # (mart, the fault, the expression that finds it)
    ("attributed_orders", "clicked_at = ordered_at + interval 1 second", "clicked_at <= ordered_at"),
    ("attributed_orders", "refunded_amount = total + 1", "refunded_amount <= total"),
    (
        "attributed_unsubscribes",
        "message_id = null",
        "(campaign_id is null) = (message_id is null) and (campaign_id is null) = (sent_at is null)",
    ),
    (
        "attributed_unsubscribes",
        "sent_at = null",
        "(campaign_id is null) = (message_id is null) and (campaign_id is null) = (sent_at is null)",
    ),
    (
        "attributed_unsubscribes",
        "sent_at = unsubscribed_at + interval 1 second",
        "sent_at is null or sent_at <= unsubscribed_at",
    ),
    ("campaign_clicks_hourly", "unique_clickers = clicks + 1", "unique_clickers between 1 and clicks"),
    ("campaign_metrics", "total_delivered = total_sent + 1", "total_delivered <= total_sent"),
    ("campaign_metrics", "unique_clickers = total_clicks + 1", "unique_clickers <= total_clicks"),
    ("campaign_metrics", "last_sent_at = null", "(last_sent_at is null) = (total_sent = 0)"),
    (
        "campaign_overview",
        "pending = pending + 1",
        "unique_sends = unique_deliveries + pending + soft_bounces + hard_bounces + deleted",
    ),
    ("delivery_status", "provider_status = null", "(provider is null) = (provider_status is null)"),
    (
        "delivery_status",
        "provider = null, provider_status = null",
        "delivery_status = 'pending' or provider is not null",
    ),
    ("unmapped_receipts", "messages = receipts + 1", "messages <= receipts"),
    (
        "unmapped_receipts",
        "first_occurred_at = last_occurred_at + interval 1 hour",
        "first_occurred_at <= last_occurred_at",
    ),
    (
        "unmatched_events",
        "first_at = null",
        "(first_at is null) = (events = 0) and (last_at is null) = (events = 0)",
    ),
]


@pytest.fixture(scope="module")
def agreeing() -> Iterator[duckdb.DuckDBPyConnection]:
    with candidate(valid_marts()) as connection:
        connection.execute(f"use {SCHEMA}")
        connection.execute(INTERMEDIATE_MODELS)
        yield connection


@pytest.fixture
def marts(agreeing: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Marts that agree; what a test changes of them is rolled back."""
    agreeing.execute("begin")
    yield agreeing
    agreeing.execute("rollback")


def failing_rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_marts_that_agree_break_no_invariant(marts: duckdb.DuckDBPyConnection) -> None:
    assert {name: rows for name, sql in SINGULAR_TESTS.items() if (rows := failing_rows(marts, sql))} == {}
    for mart, expression in expression_tests():
        assert failing_rows(marts, f"select * from {mart} where not ({expression})") == [], (mart, expression)


def test_empty_marts_break_no_invariant() -> None:
    with candidate({}) as connection:
        connection.execute(f"use {SCHEMA}")
        connection.execute(INTERMEDIATE_MODELS)
        connection.execute("delete from int_messages_resolved")
        connection.execute("delete from int_receipts_unmatched")
        assert {name: rows for name, sql in SINGULAR_TESTS.items() if (rows := failing_rows(connection, sql))} == {}


@pytest.mark.parametrize(("test", "fault", "key", "problem"), FAULTS)
def test_a_broken_invariant_is_found(
    marts: duckdb.DuckDBPyConnection, test: str, fault: str, key: object, problem: str
) -> None:
    marts.execute(fault)
    rows = failing_rows(marts, SINGULAR_TESTS[test])
    assert any(key in row.values() and (not problem or problem in row["problem"].split("; ")) for row in rows), rows


@pytest.mark.parametrize(("mart", "fault", "expression"), ROW_FAULTS)
def test_a_row_that_breaks_a_rule_is_found(
    marts: duckdb.DuckDBPyConnection, mart: str, fault: str, expression: str
) -> None:
    marts.execute(f"update {mart} set {fault}")
    assert (mart, expression) in expression_tests()
    assert failing_rows(marts, f"select * from {mart} where not ({expression})")


def test_there_is_a_fault_for_every_invariant_and_every_problem() -> None:
    without_fault = sorted(SINGULAR_TESTS.keys() - {test for test, *_ in FAULTS})
    assert not without_fault, f"FAULTS in this module needs a fault that these dbt tests find: {without_fault}"
    assert {test for test, *_ in FAULTS} == SINGULAR_TESTS.keys()
    assert {(mart, expression) for mart, _, expression in ROW_FAULTS} >= set(expression_tests())
    for name, sql in SINGULAR_TESTS.items():
        problems = set(re.findall(r"then '([^']+)'|'([^']+)' as problem", sql))
        problems_with_fault = {problem for test, _, _, problem in FAULTS if test == name and problem}
        assert {first or second for first, second in problems} == problems_with_fault, name
