"""The rows that the checks of a build read: all rows, or only the rows that the build changed.

After an incremental build, the changed rows are enough if the build before passed every check: all other rows were checked
then. The changed rows are copied to `checked.<model>` in the build file. dbt's tests of single relations
(`dbt_project/macros/get_where_subquery.sql`) and the mart contracts read them in place of the model. Without these tables,
as after every full build, they read all rows. Sums over whole marts are always checked.

Not here: when the rows are copied (`orchestration.stages`), the checks (`dbt_project/`, `quality.audit`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import duckdb

from models.enums import Log
from warehouse.config import DataPaths
from warehouse.duckdb_tools import enable_s3, fetch_value, literal
from warehouse.transform.dbt_runner import BUILD_DATABASE, CANDIDATE_DATABASE

SCHEMA = "checked"

NUMBER_IN_MODEL = "number_in_model"
"""The column with the row id that the row has in the model."""


def copy_changed_rows(paths: DataPaths, manifest: Mapping[str, Any], changes_schema: str) -> int:
    """Copies the rows that the build changed, for every incremental model; returns their number.

    `changes_schema` is the schema of the change feed in the build's file.
    """
    with _build_file(paths) as connection:
        connection.execute(f"attach {literal(paths.candidate)} as {CANDIDATE_DATABASE} (read_only)")
        connection.execute("begin")
        connection.execute(f"drop schema if exists {BUILD_DATABASE}.{SCHEMA} cascade")
        connection.execute(f"create schema {BUILD_DATABASE}.{SCHEMA}")
        for log in Log:
            connection.execute(
                f"create view {BUILD_DATABASE}.{SCHEMA}.stg_logs__{log} as"
                f" select * from {BUILD_DATABASE}.{changes_schema}.{log} where change = 'added'"
            )
        rows = 0
        for name, relation, changed_keys in _incremental_models(manifest):
            numbers = " union ".join(
                f"select model.rowid from {relation} as model semi join {changed} using ({', '.join(key)})"
                for changed, key in changed_keys.items()
            )
            rows += fetch_value(
                connection,
                f"create table {BUILD_DATABASE}.{SCHEMA}.{name} as"
                f" select *, rowid as {NUMBER_IN_MODEL} from {relation} where rowid in ({numbers})",
            )
        connection.execute("commit")
        return rows


def check_all_rows(paths: DataPaths) -> None:
    """Drops the copies, so that the checks read all rows."""
    with _build_file(paths) as connection:
        connection.execute(f"drop schema if exists {BUILD_DATABASE}.{SCHEMA} cascade")


@contextmanager
def _build_file(paths: DataPaths) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(paths.build)} as {BUILD_DATABASE}")
        enable_s3(connection, paths.lake)
        yield connection


def _incremental_models(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, list[str]]]]:
    """The name and relation of each incremental model, and the key columns by `*_this_run` relation."""
    models = {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}
    for name, model in models.items():
        changed_keys = model["config"]["meta"].get("changed_keys")
        if changed_keys:
            keys = {_relation(models[changed]): key for changed, key in changed_keys.items()}
            yield name, _relation(model), keys


def _relation(model: Mapping[str, Any]) -> str:
    return f"{model['database']}.{model['schema']}.{model['alias']}"


def rows_to_check(connection: duckdb.DuckDBPyConnection, paths: DataPaths) -> dict[str, str]:
    """The relations with changed rows by model, empty if all rows are checked. Attaches the build file."""
    connection.execute(f"attach {literal(paths.build)} as {BUILD_DATABASE} (read_only)")
    tables = connection.execute(
        "select table_name from duckdb_tables() where database_name = ? and schema_name = ?", [BUILD_DATABASE, SCHEMA]
    ).fetchall()
    return {name: f"{BUILD_DATABASE}.{SCHEMA}.{name}" for (name,) in tables}
