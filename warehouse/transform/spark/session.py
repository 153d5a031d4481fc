"""How dbt reaches Spark: a session in this process, or a cluster's Thrift server; and the schemas of one build.

Not here: which commands a build or a publication runs (`tables`, `publication`).
"""

import json
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from warehouse.config import DBT_PREFIX, DataPaths, Engine, Settings
from warehouse.transform.dbt_runner import run_dbt
from warehouse.transform.spark.folders import folder_of_build


def is_spark(settings: Settings) -> bool:
    """Whether Spark is the engine."""
    return settings.engine == Engine.SPARK


def run_dbt_on_build(settings: Settings, paths: DataPaths, build_id: str, command: list[str]) -> list[Any]:
    """Runs a dbt command on the tables of a build and returns dbt's results.

    Raises:
        BuildFailed: dbt could not start, or Spark cannot be reached.
    """
    if settings.spark_thrift is None:
        _open_session(settings, paths)
    return run_dbt(settings, paths, command, _build_variables(paths, build_id))


def run_macro(
    settings: Settings, paths: DataPaths, build_id: str, macro: str, arguments: Mapping[str, Any] | None = None
) -> None:
    """Runs a macro of the dbt project on the tables of a build.

    Raises:
        BuildFailed: with Spark's message.
    """
    command = ["run-operation", macro, "--args", json.dumps(arguments or {})]
    run_dbt_on_build(settings, paths, build_id, command)


def _build_variables(paths: DataPaths, build_id: str) -> dict[str, str]:
    """The environment variables that tell dbt's profile and project where the tables of a build are."""
    return {
        f"{DBT_PREFIX}SPARK_SCHEMA": "sendmart_" + re.sub(r"[^a-z0-9]+", "_", build_id.lower()),
        f"{DBT_PREFIX}SPARK_FOLDER": _escaped_url(folder_of_build(paths, build_id)),
    }


def _escaped_url(path: Path) -> str:
    """A path as a URL, escaped for a string literal of Spark."""
    return "file://" + str(path).replace("\\", "\\\\").replace("'", "\\'")


def _open_session(settings: Settings, paths: DataPaths) -> None:
    """Starts Spark in this process, where dbt finds it. Its catalogue is a folder of the data folder."""
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
