"""Dagster's history on PostgreSQL, with the very dagster.yaml of the server: what a move brings, and what it leaves."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg2
import pytest

from models.enums import Log
from orchestration.run_refresh import run_refresh
from orchestration.stages import AppContext, RefreshPlan, plan_refresh
from tests.postgres import postgres
from tests.running import RefreshedWarehouse, all_marts, environment, environment_of, refresh_without_dagster
from warehouse.config.settings import PROJECT, load_settings

SENDS = dg.AssetKey(["logs", "sends"])


@pytest.fixture
def moved(refreshed_small: RefreshedWarehouse, tmp_path: Path) -> Iterator[AppContext]:
    """The small case, which has a history on SQLite, under an instance on PostgreSQL."""
    data, home = tmp_path / "data", tmp_path / "home"
    shutil.copytree(refreshed_small.warehouse.paths.data, data)
    home.mkdir()
    shutil.copyfile(PROJECT / "docker" / "dagster.yaml", home / "dagster.yaml")
    settings = environment_of(data, refreshed_small.landing, max_rejected_share="1")
    with postgres() as connection, environment({**settings, **connection, "DAGSTER_HOME": str(home)}):
        yield AppContext.of(load_settings())


def test_moving_dagster_to_postgresql_keeps_the_figures(
    moved: AppContext,
) -> None:
    from orchestration.definitions import defs

    marts = _sorted_marts(moved)
    days = set(sorted({file.log_date.isoformat() for file in moved.ledger.files(Log.SENDS)})[:2])
    assert plan_refresh(moved).is_empty
    with dg.DagsterInstance.get() as instance:
        assert instance.get_materialized_partitions(SENDS) == set(), "the history on SQLite is not moved"
        loaded = (
            defs()
            .resolve_implicit_global_asset_job_def()
            .execute_in_process(
                instance=instance,
                asset_selection=[SENDS],
                tags={
                    "dagster/asset_partition_range_start": min(days),
                    "dagster/asset_partition_range_end": max(days),
                },
            )
        )
        assert loaded.success
        refresh_without_dagster(moved)
        shutil.rmtree(moved.paths.exports)
        assert run_refresh(moved, RefreshPlan(must_export=True)).outcome == "nothing new"
        assert days <= instance.get_materialized_partitions(SENDS)
        assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS}
        assert instance.get_latest_materialization_event(dg.AssetKey(["exports", "campaign_metrics"]))
    assert _sorted_marts(moved) == marts
    assert _runs_in_the_database() == 3, "the load, the exports and the pruning"


def _sorted_marts(warehouse: AppContext) -> dict[str, list[str]]:
    return {mart: sorted(map(repr, rows)) for mart, rows in all_marts(warehouse.paths.published_marts).items()}


def _runs_in_the_database() -> int:
    import os

    connection = psycopg2.connect(
        host=os.environ["DAGSTER_POSTGRES_HOST"],
        port=os.environ["DAGSTER_POSTGRES_PORT"],
        dbname=os.environ["DAGSTER_POSTGRES_DB"],
        user=os.environ["DAGSTER_POSTGRES_USER"],
        password=os.environ["DAGSTER_POSTGRES_PASSWORD"],
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from runs")
        return cursor.fetchone()[0]
