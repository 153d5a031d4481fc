"""Descriptions of the rows that failed a dbt test."""

from pathlib import Path

import duckdb
import pytest

from warehouse.config import DataPaths
from warehouse.transform.build import too_large_cost
from warehouse.transform.dbt_tests import describe_failing_rows


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


def test_a_cost_that_fits_no_sum_is_named_with_its_file(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    sends = tmp_path / "lake" / "sends" / "log_date=2026-01-05"
    sends.mkdir(parents=True)
    connection.execute(
        "attach ':memory:' as build; create schema build.intermediate;"
        " create table build.intermediate.int_messages_enriched as"
        " select if(range < 3, 'c1', 'c2') as campaign_id, 'm' || range as message_id,"
        " cast(range * 300000000000 as decimal(18,6)) as cost from range(4)"
    )
    connection.execute(
        f"copy (select 'm' || range as message_id, range as cost, 'a.csv' as source_file, range + 7 as row_number"
        f" from range(5)) to '{sends / 'a.parquet'}'"
    )
    assert too_large_cost(connection, DataPaths(tmp_path)) is None
    connection.execute("insert into build.intermediate.int_messages_enriched values ('c2', 'm4', 999999999999.999999)")
    assert str(too_large_cost(connection, DataPaths(tmp_path))) == (
        "campaign c2: the cost of its messages, 1899999999999.999999, does not fit decimal(18,6); its dearest message is m4"
        " (sends/a.csv, row 11)"
    )
