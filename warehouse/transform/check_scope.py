"""Which rows of a build its checks look at: all there are, or those that the build touched.

A build that brought tables up to date need be checked only where it touched them, if the build that it went on from was
held to every check, and they held: what it did not touch was looked at then. For such a build the rows are put aside as
`checked.<model>`, beside the models; dbt's tests of single relations (`dbt_project/macros/get_where_subquery.sql`) and the mart
contracts read them in place of the model. Without these relations, as after every build in full, they read all rows.
Sums over whole marts are looked at in either case.

Not here: when rows are put aside (`orchestration.stages`), the checks (`dbt_project/`, `quality.audit`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import duckdb

from models.enums import Log
from warehouse.foundation import DataPaths, enable_s3, fetch_value, literal
from warehouse.lake.change_feed import SCHEMA as CHANGES
from warehouse.transform.dbt_runner import BUILD_DATABASE, CANDIDATE_DATABASE

SCHEMA = "checked"

NUMBER_IN_MODEL = "number_in_model"
"""The column that says which row of the model a row is: DuckDB's own number of it."""


def put_aside(paths: DataPaths, manifest: Mapping[str, Any]) -> int:
    """Puts aside the rows that the build at hand touched, of every model that is brought up to date; gives their number."""
    with _build_file(paths) as connection:
        connection.execute(f"attach {literal(paths.candidate)} as {CANDIDATE_DATABASE} (read_only)")
        connection.execute("begin")
        connection.execute(f"drop schema if exists {BUILD_DATABASE}.{SCHEMA} cascade")
        connection.execute(f"create schema {BUILD_DATABASE}.{SCHEMA}")
        for log in Log:
            connection.execute(
                f"create view {BUILD_DATABASE}.{SCHEMA}.stg_logs__{log} as"
                f" select * from {BUILD_DATABASE}.{CHANGES}.{log} where change = 'added'"
            )
        rows = 0
        for name, relation, changed_keys in _brought_up_to_date(manifest):
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


def forget(paths: DataPaths) -> None:
    """All rows are to be looked at."""
    with _build_file(paths) as connection:
        connection.execute(f"drop schema if exists {BUILD_DATABASE}.{SCHEMA} cascade")


@contextmanager
def _build_file(paths: DataPaths) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(paths.build)} as {BUILD_DATABASE}")
        enable_s3(connection, paths.lake)
        yield connection


def _brought_up_to_date(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, list[str]]]]:
    """The name of each such model, its relation, and the key columns by `*_this_run` relation."""
    models = {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}
    for name, model in models.items():
        changed_keys = model["config"]["meta"].get("changed_keys")
        if changed_keys:
            keys = {_place(models[changed]): key for changed, key in changed_keys.items()}
            yield name, _place(model), keys


def _place(model: Mapping[str, Any]) -> str:
    return f"{model['database']}.{model['schema']}.{model['alias']}"


def relations(connection: duckdb.DuckDBPyConnection, paths: DataPaths) -> dict[str, str]:
    """By model, the relation with the rows to look at in its place; the build's file is attached where there are any."""
    connection.execute(f"attach {literal(paths.build)} as {BUILD_DATABASE} (read_only)")
    found = connection.execute(
        "select table_name from duckdb_tables() where database_name = ? and schema_name = ?", [BUILD_DATABASE, SCHEMA]
    ).fetchall()
    return {name: f"{BUILD_DATABASE}.{SCHEMA}.{name}" for (name,) in found}
