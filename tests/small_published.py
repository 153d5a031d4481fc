"""A small published file, written by hand: for tests of what reads one, without a refresh.

Not here: files that the real job publishes (`tests.running`).
"""

import json

import duckdb

from models.marts import columns, dbt_marts, qualified
from orchestration.stages import AppContext

SETTINGS = {"reporting_currency": "EUR", "conversion_rate_denominator": "unique_clickers", "insights": True}


def publish(
    context: AppContext,
    rows: dict[str, str],
    *,
    build_id: str = "b1",
    data_until: str = "2026-03-09",
    insights: bool = True,
) -> None:
    """Publishes a build with all marts. `rows`: by mart, the columns and rows of an insert, `(a, b) values (1, 2)`."""
    assert context.ledger.last_publication() is None  # creates the ledger, which published files need
    file = context.paths.published_marts
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    with duckdb.connect(new) as connection:
        connection.execute("create schema marts; create schema insights")
        for mart in ("build_info", *dbt_marts(insights=insights)):
            columns_sql = ", ".join(f"{column.name} {column.sql_type}" for column in columns(mart))
            connection.execute(f"create table {qualified(mart)} ({columns_sql})")
        connection.execute(
            "insert into marts.build_info (build_id, published_at, data_until, settings) values (?, '2026-03-10 03:31:40', ?, ?)",
            [build_id, data_until, json.dumps(SETTINGS)],
        )
        for mart, insert in rows.items():
            connection.execute(f"insert into {qualified(mart)} {insert}")
    new.rename(file)
