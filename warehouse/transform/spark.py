"""The second engine: a build's models as tables of Apache Spark, in this process's session or on a cluster (Thrift).

A build has a folder that every worker of Spark can read and write, `spark/builds/<build id>/`, of plain Parquet: `work/` for
what is only needed until the build is published, `marts/` for what is published. In Spark's catalogue these are the schemas
`sendmart_<build>_work` and `sendmart_<build>_marts`; the lake, as tables, is `sendmart_<build>_lake`. The candidate's two
DuckDB files then hold views on that Parquet, so that audit, comparison and publication read a build of either engine alike.

What readers of Spark see are the views of the published schema (SENDMART_SPARK_SCHEMA), which all change over to another
build in one step (`dbt_project/macros/spark_publication.sql`).

Not here: the models and their SQL for Spark (`dbt_project/`), what a candidate is (`warehouse.transform.build`).
"""

import json
import re
import secrets
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from models.marts import SCHEMA
from warehouse.config import DBT_PREFIX, DataPaths, Engine, Settings
from warehouse.duckdb_tools import literal
from warehouse.ledger import Ledger
from warehouse.storage import atomic_replace
from warehouse.transform.dbt_runner import BUILD_DATABASE, CANDIDATE_DATABASE, dbt_manifest, run_dbt

_FOLDER_OF_BUILD = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}")
_WORK, _MARTS = "work", "marts"
_HOLDS_ERASED = "holds-erased"


def is_engine(settings: Settings) -> bool:
    return settings.engine == Engine.SPARK


# --- a build


def build_models(settings: Settings, paths: DataPaths, ledger: Ledger, build_id: str) -> list[Any]:
    """Computes every model of a new build; gives dbt's results.

    What earlier builds need no longer is thrown away first: there must be room for this one.
    """
    tidy(settings, paths, ledger)
    folder = folder_of(paths, build_id)
    for part in (_WORK, _MARTS):
        (folder / part).mkdir(parents=True, exist_ok=True)
    _operate(settings, paths, build_id, "create_lake_tables")
    return run(settings, paths, build_id, ["build", "--resource-type", "seed", "--resource-type", "model", *_BUILT])


# The models of what one run changes serve incremental builds alone.
_BUILT = ("--full-refresh", "--exclude", "tag:this_run")


def run(settings: Settings, paths: DataPaths, build_id: str, command: list[str]) -> list[Any]:
    """Runs a dbt command on the tables of a build."""
    if settings.spark_thrift is None:
        _open_session(settings, paths)
    return run_dbt(settings, paths, command, _names_of(paths, build_id))


def show_in_duckdb(settings: Settings, paths: DataPaths, build_id: str) -> None:
    """Leaves the candidate's two DuckDB files with views on the tables that Spark wrote."""
    folder = folder_of(paths, build_id)
    nodes = dbt_manifest(settings, paths)["nodes"].values()
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(paths.build)} as {BUILD_DATABASE}")
        connection.execute(f"attach {literal(paths.candidate)} as {CANDIDATE_DATABASE}")
        for node in (node for node in nodes if node["resource_type"] in ("model", "seed")):
            is_published = node["config"]["database"] == CANDIDATE_DATABASE
            database, part = (CANDIDATE_DATABASE, _MARTS) if is_published else (BUILD_DATABASE, _WORK)
            table, schema = folder / part / node["alias"], node["config"]["schema"]
            if table.is_dir():
                connection.execute(f"create schema if not exists {database}.{schema}")
                connection.execute(
                    f'create or replace view {database}.{schema}."{node["alias"]}" as'
                    f" select * from read_parquet({literal(f'{table}/*.parquet')})"
                )


def is_whole(paths: DataPaths, build_id: str) -> bool:
    """Whether the files of a build are where Spark wrote them, as far as a look at their folders tells."""
    return all((folder_of(paths, build_id) / part).is_dir() for part in (_WORK, _MARTS))


# --- publication


def publish(settings: Settings, paths: DataPaths, build_id: str, published: Path, *, is_masked: bool) -> None:
    """Has Spark's readers see a build: all its marts at once. `published` is the DuckDB file that is published of it.

    From there comes what the tables of the build do not have: which build it is, and, where numbers are masked, all rows.
    """
    marts = folder_of(paths, build_id) / _MARTS
    publication = secrets.token_hex(3)
    folder = marts.with_name("published") / publication
    written = _write_from_duckdb(published, folder, all_tables=is_masked)
    arguments = {
        "published_schema": settings.spark_schema,
        "build_id": build_id,
        "tables": {name: name for name in _tables_in(marts)} | {name: f"{name}__{publication}" for name in written},
        "written": {f"{name}__{publication}": str(path) for name, path in written.items()},
    }
    _operate(settings, paths, build_id, "publish_marts", arguments)
    _note_published(paths, build_id)
    for earlier in folder.parent.iterdir():
        if earlier != folder:
            shutil.rmtree(earlier)
    for build in _builds(paths):
        if build.name != build_id and (build / _HOLDS_ERASED).exists():
            forget(settings, paths, build.name, marts=True)


def is_published(paths: DataPaths, build_id: str) -> bool:
    """Whether a build is what Spark's readers see, by what was noted when it came to that."""
    try:
        return paths.spark_published.read_text(encoding="utf-8") == build_id
    except FileNotFoundError:
        return False


def is_kept(paths: DataPaths, build_id: str) -> bool:
    """Whether Spark has the marts of a build still."""
    return bool(_tables_in(folder_of(paths, build_id) / _MARTS))


def _note_published(paths: DataPaths, build_id: str) -> None:
    temp_path = paths.spark_published.with_name(f".{paths.spark_published.name}.tmp")
    temp_path.write_text(build_id, encoding="utf-8")
    atomic_replace(temp_path, paths.spark_published)


def _write_from_duckdb(published: Path, folder: Path, *, all_tables: bool) -> dict[str, Path]:
    """Writes tables of a published DuckDB file as Parquet below a folder; gives the folder of each."""
    written = {}
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(published)} as published (read_only)")
        tables = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'published' and schema_name = ?", [SCHEMA]
        ).fetchall()
        for (table,) in tables:
            if all_tables or table == "build_info":
                path = folder / table
                path.mkdir(parents=True)
                connection.execute(
                    f'copy published.{SCHEMA}."{table}" to {literal(path / "part-0.parquet")} (format parquet)'
                )
                written[table] = path
    return written


def _tables_in(folder: Path) -> list[str]:
    return sorted(table.name for table in folder.iterdir() if (table / "_SUCCESS").exists()) if folder.is_dir() else []


# --- what is needed no longer


def tidy(settings: Settings, paths: DataPaths, ledger: Ledger) -> None:
    """Throws away the builds that are neither kept nor published, and of the others what was needed to make them.

    Before a build, not after a publication: who reads the build before may go on until then.
    """
    kept = {publication.build_id for publication in ledger.publications()}
    for folder in _builds(paths):
        is_kept = folder.name in kept and (
            is_published(paths, folder.name) or (paths.kept_builds / f"{folder.name}.duckdb").exists()
        )
        forget(settings, paths, folder.name, marts=not is_kept)


def forget(settings: Settings, paths: DataPaths, build_id: str, *, marts: bool) -> None:
    """Drops the working tables of a build, and with `marts` those as well.

    Where Spark is the engine no longer, nobody is at hand to drop anything: the files go, the names stay.
    """
    folder = folder_of(paths, build_id)
    if marts or (folder / _WORK).is_dir():
        if is_engine(settings):
            _operate(settings, paths, build_id, "drop_build", {"marts": marts})
        shutil.rmtree(folder if marts else folder / _WORK)


def erase(settings: Settings, paths: DataPaths) -> None:
    """Throws away all builds, since somebody was erased, but the one that Spark's readers see.

    That one goes as soon as another is published in its place. Spark's copies are not rewritten: the next build is made
    anew from the lake in any case.
    """
    for folder in _builds(paths):
        is_seen = is_engine(settings) and is_published(paths, folder.name)
        forget(settings, paths, folder.name, marts=not is_seen)
        if is_seen:
            (folder / _HOLDS_ERASED).touch()


def holds_erased(paths: DataPaths) -> bool:
    """Whether Spark's readers still see a build from before an erasure."""
    return any((folder / _HOLDS_ERASED).exists() for folder in _builds(paths))


# --- Spark itself


def folder_of(paths: DataPaths, build_id: str) -> Path:
    return paths.spark_builds / build_id


def _builds(paths: DataPaths) -> list[Path]:
    """The folders of all builds, the earliest first."""
    return [folder for folder in sorted(paths.spark_builds.glob("*")) if _FOLDER_OF_BUILD.fullmatch(folder.name)]


def _names_of(paths: DataPaths, build_id: str) -> dict[str, str]:
    """The variables by which dbt's profile and project know the tables of a build."""
    return {
        f"{DBT_PREFIX}SPARK_SCHEMA": "sendmart_" + re.sub(r"[^a-z0-9]+", "_", build_id.lower()),
        f"{DBT_PREFIX}SPARK_FOLDER": _in_spark_literal(folder_of(paths, build_id)),
    }


def _in_spark_literal(path: Path) -> str:
    return "file://" + str(path).replace("\\", "\\\\").replace("'", "\\'")


def _operate(
    settings: Settings, paths: DataPaths, build_id: str, macro: str, arguments: Mapping[str, Any] | None = None
) -> None:
    """Runs a macro on the tables of a build.

    Raises:
        BuildFailed: with what Spark said.
    """
    run(settings, paths, build_id, ["run-operation", macro, "--args", json.dumps(arguments or {})])


def _open_session(settings: Settings, paths: DataPaths) -> None:
    """Starts Spark in this process, as dbt will find it; its catalogue is a folder of the data folder."""
    from pyspark.sql import SparkSession

    folder = paths.spark
    folder.mkdir(parents=True, exist_ok=True)
    settings.scratch.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {
        "spark.sql.warehouse.dir": folder / "managed",
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder / 'catalogue'};create=true",
        "spark.driver.extraJavaOptions": f"-Dderby.system.home={folder}",
        "spark.driver.memory": _memory(settings.memory_limit),
        "spark.local.dir": settings.scratch,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
    }
    if settings.spark_master and not settings.spark_master.startswith("local"):
        # pandera, where it finds PySpark, has it listen on loopback: workers elsewhere could not answer.
        options["spark.driver.host"] = socket.getfqdn()
    builder = SparkSession.builder.appName("sendmart").master(settings.spark_master or f"local[{settings.threads}]")
    for name, value in options.items():
        builder = builder.config(name, str(value))
    builder.enableHiveSupport().getOrCreate()


def _memory(limit: str) -> str:
    """DuckDB's way of writing an amount of memory, in mebibytes, as Java does."""
    number, unit, base = re.fullmatch(r"([0-9.]+) ?([KMGT])(i?)B", limit).groups()
    bytes_ = float(number) * (1024 if base else 1000) ** " KMGT".index(unit)
    return f"{int(bytes_) >> 20}m"
