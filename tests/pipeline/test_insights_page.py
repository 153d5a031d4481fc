"""`docs/insights.md`: every query runs as it is printed, and figures of some agree with the case's.

Not here: the tables themselves (`tests/pipeline/test_cases.py`).
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from models.marts import INSIGHTS
from tests.oracle.compare import read_mart
from tests.running import CASES, RefreshedWarehouse
from warehouse.config.settings import PROJECT

PAGE = (PROJECT / "docs" / "insights.md").read_text(encoding="utf-8")
QUERIES = dict(re.findall(r"^([^\n]+)\n\n```sql\n(.+?)```", PAGE, flags=re.MULTILINE | re.DOTALL))
"""By the line before it, each query of the page."""

WITHOUT_ROWS = {"campaigns whose last message was sent in that month."}
"""The case has no campaign in the month before its last one."""


@pytest.fixture(scope="module")
def published(refreshed_insights: RefreshedWarehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(refreshed_insights.warehouse.paths.published_marts, read_only=True) as connection:
        yield connection


def rows(published: duckdb.DuckDBPyConnection, begin_of_line: str) -> list[dict[str, Any]]:
    (query,) = (query for line, query in QUERIES.items() if line.startswith(begin_of_line))
    cursor = published.execute(query)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def expected(table: str) -> list[dict[str, str | None]]:
    return read_mart(CASES / "insights" / "insights" / f"{table}.csv")


@pytest.mark.parametrize("line", QUERIES)
def test_a_query_runs_as_it_is_printed(published: duckdb.DuckDBPyConnection, line: str) -> None:
    found = published.execute(QUERIES[line]).fetchall()
    assert found or line in WITHOUT_ROWS


def test_every_table_has_a_section_and_a_query() -> None:
    sections = dict(re.findall(r"^## (.+?)\n(.+?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL))
    for table in INSIGHTS:
        (section,) = (text for heading, text in sections.items() if table in heading.split(" and "))
        assert "```sql" in section, table
    assert all(f"from insights.{table}" in PAGE or f"join insights.{table}" in PAGE for table in INSIGHTS)


def test_the_figures_of_the_queries_are_those_of_the_tables(published: duckdb.DuckDBPyConnection) -> None:
    (window,) = rows(published, "How much revenue would a window")
    by_window = expected("campaign_metrics_by_window")
    assert window["revenue_24_h"] == sum(Decimal(row["revenue"]) for row in by_window if row["window_hours"] == "24")
    assert window["revenue_in_force"] == sum(
        Decimal(row["revenue"]) for row in by_window if row["is_in_force"] == "true"
    )

    human = {row["contact_id"] for row in expected("click_quality") if row["is_bot"] == "false"}
    buyers = {row["contact_id"] for row in read_mart(CASES / "insights" / "marts" / "attributed_orders.csv")}
    found = {row["contact_id"] for row in rows(published, "campaign is credited with are in no mart.")}
    assert found == human - buyers != set()

    costs: dict[tuple[str | None, ...], Decimal] = defaultdict(Decimal)
    for row in expected("delivery_failures"):
        if row["cost"] is not None:
            costs[row["provider"], row["error_code"], row["reason"]] += Decimal(row["cost"])
    dearest = sorted(costs.values(), reverse=True)[:10]
    assert [row["cost"] for row in rows(published, "Which error codes cost most?")] == dearest
