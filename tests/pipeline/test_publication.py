"""What analysts find in the published file: schema, types, comments, build_info; and that it is always whole."""

import json
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import duckdb
import pytest

from models.marts import columns, dbt_marts, description
from tests.running import RefreshedWarehouse, clean_environment, environment, refresh_without_dagster

DUCKDB_CLI = Path(sys.executable).parent / "duckdb"


def _describe(file, query: str):
    with duckdb.connect() as connection:
        connection.execute(f"attach '{file}' as p (read_only)")
        return connection.execute(query).fetchall()


def test_tables_columns_and_comments_follow_the_contract(refreshed_case: RefreshedWarehouse) -> None:
    file = refreshed_case.warehouse.paths.published_marts
    is_published = "schema_name in ('marts', 'insights')"
    tables = dict(_describe(file, f"select table_name, comment from duckdb_tables() where {is_published}"))
    marts = {*dbt_marts(insights=refreshed_case.warehouse.settings.insights), "build_info"}
    assert tables == {mart: description(mart) for mart in marts}
    described_columns = _describe(
        file,
        "select table_name, column_name, lower(data_type), comment from duckdb_columns()"
        f" where database_name = 'p' and {is_published} order by table_name, column_index",
    )
    expected = [
        (mart, column.name, column.sql_type, column.description) for mart in sorted(marts) for column in columns(mart)
    ]
    assert described_columns == expected


def test_build_info_states_how_fresh_the_figures_are(refreshed_case: RefreshedWarehouse) -> None:
    ((build_id, published_at, data_until, of_version, settings, override_reason, as_of),) = _describe(
        refreshed_case.warehouse.paths.published_marts, "from p.marts.build_info"
    )
    assert build_id == refreshed_case.warehouse.ledger.candidate().build_id
    assert published_at.replace(microsecond=0) <= published_at
    assert (override_reason, as_of) == (None, None)
    last_log_date = "2026-01-29" if refreshed_case.warehouse.settings.insights else "2026-01-13"
    assert data_until.isoformat() == last_log_date
    assert of_version == version("sendmart")
    assert json.loads(settings)["max_rejected_share"] == 1
    assert json.loads(settings)["conversion_window_hours"] == 120


TYPED_QUERIES = {
    "sendmart": ("from marts.campaign_metrics", "from sendmart.marts.campaign_metrics"),
    "quarantine": ("from rejected_rows", "from quarantine.rejected_rows", "from rejected_files"),
}
"""Queries that an analyst types after opening a published file, by the name of the file."""


@pytest.mark.parametrize(("name", "query"), [(name, query) for name in TYPED_QUERIES for query in TYPED_QUERIES[name]])
def test_a_published_file_answers_queries_as_typed(refreshed_wide: RefreshedWarehouse, name: str, query: str) -> None:
    """In the DuckDB CLI, in Python, and attached without an alias. Each names the catalogue after the file."""
    file = refreshed_wide.warehouse.paths.published / f"{name}.duckdb"
    with duckdb.connect(str(file), read_only=True) as connection:
        rows = connection.sql(query).fetchall()
    assert bool(rows) != (query == "from rejected_files"), "no file of the case is refused"
    with duckdb.connect() as connection:
        connection.execute(f"attach '{file}' (read_only)")
        connection.execute(f"use {name}")
        assert connection.execute(query).fetchall() == rows
    shell = subprocess.run(
        [DUCKDB_CLI, "-readonly", file, "-json", "-c", query], capture_output=True, text=True, check=False
    )
    assert (shell.returncode, shell.stderr) == (0, "")
    assert len(json.loads(shell.stdout or "[]")) == len(rows)


READER = """
import sys, time, duckdb
while True:
    with duckdb.connect(sys.argv[1], read_only=True) as c:
        metrics, overview, builds = c.execute(
            "select (select count(*) from marts.campaign_metrics),"
            " (select count(*) from marts.campaign_overview), (select count(*) from marts.build_info)"
        ).fetchone()
        assert metrics == overview > 0 and builds == 1, (metrics, overview, builds)
    print("read", flush=True)
    time.sleep(0.02)
"""


def test_reading_in_a_loop_during_a_refresh_never_fails(refreshed_wide: RefreshedWarehouse) -> None:
    file = refreshed_wide.warehouse.paths.published_marts
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(file)],
        env=clean_environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert reader.stdout.readline() == "read\n"
        inode = file.stat().st_ino
        with environment(refreshed_wide.environment):
            refresh_without_dagster(refreshed_wide.warehouse, full_refresh=True)
        assert file.stat().st_ino != inode
        time.sleep(0.5)
        assert reader.poll() is None, reader.stderr.read()
    finally:
        reader.kill()
        out, err = reader.communicate()
    assert err == ""
    assert out.count("read") > 10
