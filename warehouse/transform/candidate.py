"""The candidate's two files, `build.duckdb` and `candidate.duckdb`: which build they hold, and their tables. Both hold the
identity of a complete build; a dbt run that is not a refresh removes it (`dbt_project/macros/run_start.sql`).

Not here: how the files are built (`warehouse.transform.build`).
"""

from collections.abc import Collection
from dataclasses import dataclass

import duckdb

from models.marts import DBT_MARTS
from warehouse.config import DataPaths
from warehouse.duckdb_tools import (
    attached,
    damage_of,
    fetch_value,
    literal,
    new_session,
    preview_rows,
    truncation_reason,
)
from warehouse.lake import change_feed
from warehouse.ledger import Build, Ledger
from warehouse.storage import remove
from warehouse.transform import check_scope
from warehouse.transform.spark.builds import VIEW_ON_PARQUET

_IDENTITY = "build.internal.build_identity"
FAILING_ROWS = "dbt_test__audit"
"""The schema of the build file with a table of failing rows for each failed test, as dbt names it."""

_NO_MODELS = f"'{change_feed.SCHEMA}', '{FAILING_ROWS}'"
"""The schemas of the change feed, and of the rows that failed a test."""


class CandidateDamaged(Exception):
    """A file of the candidate is damaged, which only reading it revealed."""


def write_identity(paths: DataPaths, build: Build) -> None:
    """Writes the identity of a complete build to both of its files."""
    for file in (paths.build, paths.candidate):
        with attached(read_only=False, build=file) as connection:
            connection.execute("create schema if not exists build.internal")
            connection.execute(
                f"create or replace table {_IDENTITY} as select $build_id as build_id, $inputs as inputs",
                {"build_id": build.build_id, "inputs": build.inputs},
            )


def incomplete_reason(paths: DataPaths, relations: Collection[str]) -> str | None:
    """Why the files do not hold these tables and views; None if they do.

    dbt keeps writing to a file that was removed. The next session creates an empty file in its place.
    """
    for file in (paths.build, paths.candidate):
        if not file.exists():
            return f"{file} was removed while it was written"
    with attached(candidate=paths.candidate, build=paths.build) as connection:
        names = connection.execute("select distinct table_name from duckdb_columns() where not internal").fetchall()
    missing = sorted({*relations} - {name for (name,) in names})
    return f"{paths.candidate} was replaced while it was written: {missing[0]} is missing" if missing else None


def identity_mismatch(paths: DataPaths, ledger: Ledger, *, checks_damage: bool = False) -> str | None:
    """Why the files are not those of the ledger's last build; None if they are. A file that cannot be opened is skipped.

    With `checks_damage`, also why a file is damaged: each file is opened once for both.
    """
    last_build = ledger.last_build()
    if last_build is None:
        return "the ledger has no build"
    with new_session() as connection:
        for file in (paths.build, paths.candidate):
            if not file.exists():
                return f"{file} is missing"
            try:
                connection.execute(f"attach or replace {literal(file)} as build (read_only)")
                if checks_damage and (reason := truncation_reason(connection, "build", file)):
                    return reason
                identity = connection.execute(f"select build_id, inputs from {_IDENTITY}").fetchone()
            except duckdb.CatalogException:
                return f"{file} has changed since build {last_build.build_id}: another dbt run has written to it"
            except duckdb.Error as error:
                if checks_damage and (reason := damage_of(file, error)):
                    return reason
                continue
            if identity != (last_build.build_id, last_build.inputs):
                return f"{file} holds build {identity and identity[0]}, and the last build is {last_build.build_id}"
    return None


def remove_candidate(paths: DataPaths, ledger: Ledger) -> None:
    """Removes the candidate's files; the next build is in full."""
    ledger.forget_candidate()
    ledger.forget_built_from(ledger.built_from())
    for file in (paths.build, paths.candidate):
        remove(file)
        remove(file.with_name(f"{file.name}.wal"))


@dataclass
class BuiltTable:
    """A table or view of the build: the types of its columns by name, the number of rows of a table and, if only changed rows
    are checked, the number of these. Of a mart, also a few rows as a Markdown table.
    """

    types: dict[str, str]
    rows: int | None = None
    changed_rows: int | None = None
    preview: str | None = None


def built_tables(paths: DataPaths) -> dict[str, BuiltTable]:
    """The tables and views of the build, by the names of their models and seeds."""
    tables: dict[str, BuiltTable] = {}
    with attached(candidate=paths.candidate, build=paths.build) as connection:
        for name, column, data_type in connection.execute(
            "select table_name, column_name, data_type from duckdb_columns() where not internal"
            f" and schema_name not in ('{check_scope.SCHEMA}', {_NO_MODELS}) order by table_oid, column_index"
        ).fetchall():
            tables.setdefault(name, BuiltTable({})).types[column] = data_type
        # Tables, and views on Spark's files. Other views are models without stored rows.
        for database, schema, name in connection.execute(
            f"select database_name, schema_name, table_name from duckdb_tables() where schema_name not in ({_NO_MODELS})"
            " union all select database_name, schema_name, view_name from duckdb_views()"
            f" where schema_name not in ({_NO_MODELS}) and {VIEW_ON_PARQUET}"
        ).fetchall():
            relation = f'{database}.{schema}."{name}"'
            rows = fetch_value(connection, f"select count(*) from {relation}")
            if schema == check_scope.SCHEMA:
                tables[name].changed_rows = rows
            else:
                tables[name].rows = rows
            if name in DBT_MARTS and database == "candidate":
                tables[name].preview = preview_rows(connection, relation)
    return tables
