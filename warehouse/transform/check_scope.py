"""The scope of a build's checks: every row, or only the rows that the build changed, if the build before passed every check.
The changed rows are copied to `checked.<model>`. Contracts and the tests of single relations then read this copy of the model.

Not here: when the rows are copied (`orchestration.stages`), the checks (`dbt_project/`, `quality.audit`).
"""

from collections.abc import Mapping
from typing import Any

import duckdb

from models.enums import Log
from warehouse.config import DataPaths, Settings
from warehouse.config.setting_types import bytes_of
from warehouse.duckdb_tools import apply_limits, attached, enable_s3, fetch_value, literal
from warehouse.lake import change_feed

SCHEMA = "checked"

NUMBER_IN_MODEL = "number_in_model"
"""The column with the row id that the row has in the model."""


MEMORY_FOR_CHANGED_ROWS = "700MB"
"""DuckDB's memory limit where only changed rows are checked. DuckDB fills a larger one with blocks of the whole tables."""


def limit_memory(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Sets the limit for checks of changed rows; a lower one of the settings stays."""
    memory = min(settings.memory_limit, MEMORY_FOR_CHANGED_ROWS, key=bytes_of)
    connection.execute(f"set memory_limit = {literal(memory)}")


def copy_changed_rows(settings: Settings, paths: DataPaths, manifest: Mapping[str, Any]) -> int:
    """Copies the rows that the build changed, for every incremental model; returns their number."""
    models = {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}
    relations = {name: f"{model['database']}.{model['schema']}.{model['alias']}" for name, model in models.items()}
    rows = 0
    with attached(read_only=False, build=paths.build, candidate=paths.candidate) as connection:
        apply_limits(connection, settings)
        limit_memory(connection, settings)
        enable_s3(connection, paths.lake)
        connection.execute("begin")
        connection.execute(f"drop schema if exists build.{SCHEMA} cascade")
        connection.execute(f"create schema build.{SCHEMA}")
        for log in Log:
            connection.execute(
                f"create view build.{SCHEMA}.stg_logs__{log} as"
                f" select * from build.{change_feed.SCHEMA}.{log} where change = 'added'"
            )
        for name, model in models.items():
            # The key columns of an incremental model by `*_this_run` model.
            if changed_keys := model["config"]["meta"].get("changed_keys"):
                numbers = " union ".join(
                    f"select model.rowid from {relations[name]} as model"
                    f" semi join {relations[changed]} using ({', '.join(key)})"
                    for changed, key in changed_keys.items()
                )
                rows += fetch_value(
                    connection,
                    f"create table build.{SCHEMA}.{name} as"
                    f" select *, rowid as {NUMBER_IN_MODEL} from {relations[name]} where rowid in ({numbers})",
                )
        connection.execute("commit")
    return rows


def check_all_rows(paths: DataPaths) -> None:
    """Drops the copies, so that the checks read all rows."""
    with attached(read_only=False, build=paths.build) as connection:
        enable_s3(connection, paths.lake)
        connection.execute(f"drop schema if exists build.{SCHEMA} cascade")


def rows_to_check(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The relations with changed rows by model, given a connection to the build file; empty if all rows are checked."""
    tables = connection.execute(
        "select distinct table_name from duckdb_columns() where database_name = 'build' and schema_name = ?", [SCHEMA]
    ).fetchall()
    return {name: f"build.{SCHEMA}.{name}" for (name,) in tables}
