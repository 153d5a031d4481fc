"""Descriptions of the rows that failed a dbt test."""

import duckdb
import pytest

from warehouse.transform.build import describe_failing_rows


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": 1})


def test_problems_are_counted_and_rows_are_named(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create table failing (campaign_id varchar, total_sent int, problem varchar)")
    connection.execute("insert into failing values ('c2', 1, 'sums differ; rates differ'), ('c1', 2, 'sums differ')")
    assert describe_failing_rows(connection, "failing") == (
        "sums differ (2); rates differ (1); campaign_id c1; campaign_id c2"
    )


def test_few_rows_are_named_and_no_contact_or_number(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "create table failing as select 'c' || range as campaign_id, 'p1' as contact_id, '+447700900123' as mobile_number,"
        " if(range = 0, 'call +447700900123', null) as message_id from range(9)"
    )
    assert describe_failing_rows(connection, "failing") == (
        "campaign_id c0, message_id call +44…23; campaign_id c1; campaign_id c2; campaign_id c3; campaign_id c4"
    )


def test_a_table_without_keys_has_no_description(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create table failing as select 1 as sent, 2 as skipped")
    assert describe_failing_rows(connection, "failing") == ""
