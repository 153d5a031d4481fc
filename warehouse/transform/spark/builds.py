"""Builds on Spark: their folders and tables, the views of them in DuckDB, which build readers see; Spark's session.

Not here: publication of the DuckDB file (`warehouse.publish`).
"""

import json
import re
import secrets
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.marts import SCHEMAS
from warehouse.config import DBT_PREFIX, DataPaths, Engine, Settings
from warehouse.duckdb_tools import attached, literal
from warehouse.ledger import Ledger
from warehouse.transform.dbt_runner import dbt_manifest, run_dbt

VIEW_ON_PARQUET = "contains(sql, 'spark/builds')"
"""A condition on `duckdb_views()`: the views that `create_duckdb_views` makes."""

WITHOUT_THIS_RUN = ("--exclude", "tag:this_run")
"""Only incremental builds need the models of the rows that one run changes."""

_BUILD_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}")
_ERASURE_MARKER = "holds-erased"


def is_spark(settings: Settings) -> bool:
    return settings.engine == Engine.SPARK


class SparkBuild:
    """A build by its id: a folder of Parquet files, and Spark's tables on them. Methods that run dbt raise BuildFailed."""

    def __init__(self, settings: Settings, paths: DataPaths, build_id: str) -> None:
        self.settings, self.paths, self.build_id = settings, paths, build_id
        self.folder = paths.spark_builds / build_id
        # The tables that are needed until the build is published, and those that are published.
        self.work, self.marts = self.folder / "work", self.folder / "marts"
        self.failing_rows = self.work / "failing_rows"
        # The file that says that the build holds rows of an erased contact.
        self.erasure_marker = self.folder / _ERASURE_MARKER

    @property
    def is_complete(self) -> bool:
        """Whether both folders are there; their files are not read."""
        return self.work.is_dir() and self.marts.is_dir()

    @property
    def mart_tables(self) -> list[str]:
        """The published tables that Spark has written completely, sorted; empty if the build cannot be published again."""
        return sorted(table.parent.name for table in self.marts.glob("*/_SUCCESS"))

    @property
    def is_published(self) -> bool:
        """Whether readers of Spark see the build, as recorded by the last publication."""
        record = self.paths.spark_published
        return record.exists() and record.read_text(encoding="utf-8") == self.build_id

    def run_dbt(self, *command: str) -> list[Any]:
        """Runs a dbt command on the tables of the build and returns dbt's results."""
        if self.settings.spark_thrift is None:
            _open_session(self.settings, self.paths)
        # A path in a string literal of Spark.
        folder = str(self.folder).replace("\\", "\\\\").replace("'", "\\'")
        variables = {
            f"{DBT_PREFIX}SPARK_SCHEMA": "sendmart_" + re.sub(r"[^a-z0-9]+", "_", self.build_id.lower()),
            f"{DBT_PREFIX}SPARK_FOLDER": f"file://{folder}",
        }
        return run_dbt(self.settings, self.paths, list(command), variables)

    def _run_macro(self, macro: str, arguments: Mapping[str, Any]) -> None:
        self.run_dbt("run-operation", macro, "--args", json.dumps(arguments))

    def build_models(self, ledger: Ledger) -> list[Any]:
        """Computes every model and returns dbt's results. Earlier builds that nobody needs are dropped first."""
        _prune(self.settings, self.paths, ledger)
        for folder in (self.work, self.marts):
            folder.mkdir(parents=True, exist_ok=True)
        self._run_macro("create_lake_tables", {})
        resources = ("--resource-type", "seed", "--resource-type", "model")
        return self.run_dbt("build", *resources, "--full-refresh", *WITHOUT_THIS_RUN)

    def create_duckdb_views(self) -> None:
        """Creates views on the tables that Spark has written completely, in the two DuckDB files of the candidate."""
        nodes = dbt_manifest(self.settings, self.paths)["nodes"].values()
        with attached(read_only=False, build=self.paths.build, candidate=self.paths.candidate) as connection:
            for node in (node for node in nodes if node["resource_type"] in ("model", "seed")):
                is_in_candidate = node["config"]["database"] == "candidate"
                table = (self.marts if is_in_candidate else self.work) / node["alias"]
                schema = f"{'candidate' if is_in_candidate else 'build'}.{node['config']['schema']}"
                if (table / "_SUCCESS").exists():
                    connection.execute(f"create schema if not exists {schema}")
                    connection.execute(
                        f'create or replace view {schema}."{node["alias"]}" as'
                        f" select * from read_parquet({literal(f'{table}/*.parquet')})"
                    )

    def publish(self, published: Path, *, is_masked: bool) -> None:
        """Points the published views at the build, all at once; `build_info` and masked tables come from its published DuckDB
        file.
        """
        publication = secrets.token_hex(3)
        folder = self.folder / "published" / publication
        written = _write_from_duckdb(published, folder, all_tables=is_masked)
        arguments = {
            "published_schema": self.settings.spark_schema,
            "build_id": self.build_id,
            "tables": {name: name for name in self.mart_tables} | {name: f"{name}__{publication}" for name in written},
            "written": {f"{name}__{publication}": str(table) for name, table in written.items()},
        }
        self._run_macro("publish_marts", arguments)
        with self.paths.atomic_write(self.paths.spark_published) as temp_path:
            temp_path.write_text(self.build_id, encoding="utf-8")
        for earlier in folder.parent.iterdir():
            if earlier != folder:
                shutil.rmtree(earlier)
        for build in _builds(self.settings, self.paths):
            if build.build_id != self.build_id and build.erasure_marker.exists():
                build.drop(with_marts=True)

    def drop(self, *, with_marts: bool) -> None:
        """Drops the working tables and, on request, the marts; only the files if Spark is no longer the engine."""
        if with_marts or self.work.is_dir():
            if is_spark(self.settings):
                self._run_macro("drop_build", {"marts": with_marts})
            shutil.rmtree(self.folder if with_marts else self.work)


def _builds(settings: Settings, paths: DataPaths) -> list[SparkBuild]:
    """The builds that have a folder, the earliest first."""
    names = sorted(folder.name for folder in paths.spark_builds.glob("*"))
    return [SparkBuild(settings, paths, name) for name in names if _BUILD_ID.fullmatch(name)]


def _prune(settings: Settings, paths: DataPaths, ledger: Ledger) -> None:
    """Drops builds that are neither kept nor published, and working tables of the others; before a build, for the sake of
    running queries.
    """
    publications = {publication.build_id for publication in ledger.publications()}
    for build in _builds(settings, paths):
        has_file = build.is_published or (paths.kept_builds / f"{build.build_id}.duckdb").exists()
        build.drop(with_marts=not (has_file and build.build_id in publications))


def discard_builds(settings: Settings, paths: DataPaths) -> None:
    """Drops every build after an erasure but the published one, which is marked: the next build is in full from the lake."""
    for build in _builds(settings, paths):
        is_seen = is_spark(settings) and build.is_published
        build.drop(with_marts=not is_seen)
        if is_seen:
            build.erasure_marker.touch()


def published_build_holds_erased(paths: DataPaths) -> bool:
    """Whether readers of Spark still see a build from before an erasure."""
    return any(paths.spark_builds.glob(f"*/{_ERASURE_MARKER}"))


def _write_from_duckdb(published: Path, folder: Path, *, all_tables: bool) -> dict[str, Path]:
    """Writes tables of a published DuckDB file as Parquet; returns the folder of each table by name."""
    written = {}
    with attached(published=published) as connection:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() where database_name = 'published'"
            " and list_contains($schemas, schema_name)",
            {"schemas": list(SCHEMAS)},
        ).fetchall()
        for schema, table in tables:
            if all_tables or table == "build_info":
                written[table] = folder / table
                written[table].mkdir(parents=True)
                file = literal(written[table] / "part-0.parquet")
                connection.execute(f'copy published.{schema}."{table}" to {file} (format parquet)')
    return written


# --- Spark's session


def _open_session(settings: Settings, paths: DataPaths) -> None:
    """Starts Spark in this process, where dbt finds it; a Thrift server needs no session. The catalogue is a folder."""
    from pyspark.sql import SparkSession

    folder = paths.spark
    folder.mkdir(parents=True, exist_ok=True)
    settings.scratch.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {
        "spark.sql.warehouse.dir": folder / "managed",
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder / 'catalogue'};create=true",
        "spark.driver.extraJavaOptions": f"-Dderby.system.home={folder}",
        "spark.driver.memory": _java_memory(settings.memory_limit),
        "spark.local.dir": settings.scratch,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
    }
    if settings.spark_master and not settings.spark_master.startswith("local"):
        # Where pandera finds PySpark, it makes Spark listen on loopback: workers on other machines could not answer.
        options["spark.driver.host"] = socket.getfqdn()
    builder = SparkSession.builder.appName("sendmart").master(settings.spark_master or f"local[{settings.threads}]")
    for name, value in options.items():
        builder = builder.config(name, str(value))
    builder.enableHiveSupport().getOrCreate()


def _java_memory(limit: str) -> str:
    """Converts an amount of memory from DuckDB's notation to Java's, in whole mebibytes: `2500MB` to `2384m`."""
    match = re.fullmatch(r"([0-9.]+) ?([KMGT])(i?)B", limit)
    if match is None:
        raise ValueError(f"{limit!r} is no amount of memory")
    number, unit, binary = match.groups()
    size = float(number) * (1024 if binary else 1000) ** " KMGT".index(unit)
    return f"{int(size) >> 20}m"
