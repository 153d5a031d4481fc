"""The tables of a build on Spark: computed by dbt, shown to DuckDB as views, dropped when nobody needs them.

Not here: which build readers see (`publication`).
"""

import shutil
from typing import Any

import duckdb

from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import literal
from warehouse.ledger import Ledger
from warehouse.transform.dbt_runner import BUILD_DATABASE, CANDIDATE_DATABASE, dbt_manifest
from warehouse.transform.spark.folders import (
    build_ids,
    erasure_marker,
    folder_of_build,
    is_published,
    marts_folder,
    work_folder,
)
from warehouse.transform.spark.session import is_spark, run_dbt_on_build, run_macro

VIEW_ON_PARQUET = "contains(sql, 'spark/builds')"
"""A condition on `duckdb_views()`: the views that `create_duckdb_views` makes."""

WITHOUT_THIS_RUN = ("--exclude", "tag:this_run")
"""Only incremental builds need the models of the rows that one run changes."""

_BUILD_COMMAND = [
    *("build", "--resource-type", "seed", "--resource-type", "model", "--full-refresh"),
    *WITHOUT_THIS_RUN,
]


def build_models(settings: Settings, paths: DataPaths, ledger: Ledger, build_id: str) -> list[Any]:
    """Computes every model of a new build and returns dbt's results.

    Earlier builds that nobody needs are dropped first, to make room.

    Raises:
        BuildFailed: dbt could not start, or Spark cannot be reached.
    """
    _prune(settings, paths, ledger)
    for folder in (work_folder(paths, build_id), marts_folder(paths, build_id)):
        folder.mkdir(parents=True, exist_ok=True)
    run_macro(settings, paths, build_id, "create_lake_tables")
    return run_dbt_on_build(settings, paths, build_id, _BUILD_COMMAND)


def create_duckdb_views(settings: Settings, paths: DataPaths, build_id: str) -> None:
    """Creates views on the tables of a build in the two DuckDB files of the candidate."""
    nodes = dbt_manifest(settings, paths)["nodes"].values()
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(paths.build)} as {BUILD_DATABASE}")
        connection.execute(f"attach {literal(paths.candidate)} as {CANDIDATE_DATABASE}")
        for node in (node for node in nodes if node["resource_type"] in ("model", "seed")):
            is_in_candidate = node["config"]["database"] == CANDIDATE_DATABASE
            database = CANDIDATE_DATABASE if is_in_candidate else BUILD_DATABASE
            folder = marts_folder(paths, build_id) if is_in_candidate else work_folder(paths, build_id)
            table, schema = folder / node["alias"], node["config"]["schema"]
            if table.is_dir():
                connection.execute(f"create schema if not exists {database}.{schema}")
                connection.execute(
                    f'create or replace view {database}.{schema}."{node["alias"]}" as'
                    f" select * from read_parquet({literal(f'{table}/*.parquet')})"
                )


def _prune(settings: Settings, paths: DataPaths, ledger: Ledger) -> None:
    """Drops the builds that are neither kept nor published, and the working tables of the others.

    Before a build, not after a publication: a query that reads the previous build may run until then.
    """
    publications = {publication.build_id for publication in ledger.publications()}
    for build_id in build_ids(paths):
        is_kept = build_id in publications and (
            is_published(paths, build_id) or (paths.kept_builds / f"{build_id}.duckdb").exists()
        )
        drop_build(settings, paths, build_id, with_marts=not is_kept)


def drop_build(settings: Settings, paths: DataPaths, build_id: str, *, with_marts: bool) -> None:
    """Drops the working tables of a build, and on request its marts.

    If Spark is no longer the engine, only the files are removed; the names stay in Spark's catalogue.
    """
    if with_marts or work_folder(paths, build_id).is_dir():
        if is_spark(settings):
            run_macro(settings, paths, build_id, "drop_build", {"marts": with_marts})
        shutil.rmtree(folder_of_build(paths, build_id) if with_marts else work_folder(paths, build_id))


def discard_builds(settings: Settings, paths: DataPaths) -> None:
    """Drops every build after an erasure. The published build stays until the next one is published, and is marked.

    Tables of Spark are not rewritten: after an erasure the next build is made in full from the lake in any case.
    """
    for build_id in build_ids(paths):
        is_seen = is_spark(settings) and is_published(paths, build_id)
        drop_build(settings, paths, build_id, with_marts=not is_seen)
        if is_seen:
            erasure_marker(paths, build_id).touch()


def published_build_holds_erased(paths: DataPaths) -> bool:
    """Whether readers of Spark still see a build from before an erasure."""
    return any(erasure_marker(paths, build_id).exists() for build_id in build_ids(paths))
