"""The tables, views and marts of the candidate: their columns, numbers of rows and previews.

Not here: how they are built (`warehouse.transform.build`).
"""

from dataclasses import dataclass

import duckdb

from warehouse.config import DataPaths
from warehouse.duckdb_tools import fetch_value, literal, preview_rows
from warehouse.lake import change_feed
from warehouse.transform import check_scope, spark
from warehouse.transform.dbt_runner import BUILD_DATABASE, CANDIDATE_DATABASE

CANDIDATE_SCHEMA = f"{CANDIDATE_DATABASE}.marts"
_STORED = (
    "select database_name, schema_name, table_name from duckdb_tables() union all"
    f" select database_name, schema_name, view_name from duckdb_views() where {spark.VIEW_ON_PARQUET}"
)
"""Tables, and views on Spark's files. Other views are models without stored rows."""


@dataclass(frozen=True)
class BuiltTable:
    """A table or view of the build: the types of its columns by name, the number of rows of a table and, if only changed rows
    are checked, the number of these.
    """

    types: dict[str, str]
    rows: int | None = None
    changed_rows: int | None = None


def built_tables(paths: DataPaths) -> dict[str, BuiltTable]:
    """The tables and views of the build, by the names of their models and seeds."""
    with duckdb.connect() as connection:
        attach_candidate(connection, paths)
        connection.execute(f"attach {literal(paths.build)} as {BUILD_DATABASE} (read_only)")
        types: dict[str, dict[str, str]] = {}
        for table, column, data_type in connection.execute(
            "select table_name, column_name, data_type from duckdb_columns() where not internal"
            " and schema_name not in (?, ?) order by table_oid, column_index",
            [check_scope.SCHEMA, change_feed.SCHEMA],
        ).fetchall():
            types.setdefault(table, {})[column] = data_type
        rows: dict[str, int] = {}
        changed_rows: dict[str, int] = {}
        for database, schema, table in connection.execute(
            f"from ({_STORED}) where schema_name <> ?", [change_feed.SCHEMA]
        ).fetchall():
            count = fetch_value(connection, f'select count(*) from {database}.{schema}."{table}"')
            (changed_rows if schema == check_scope.SCHEMA else rows)[table] = count
        return {
            table: BuiltTable(columns, rows.get(table), changed_rows.get(table)) for table, columns in types.items()
        }


@dataclass(frozen=True)
class BuiltMart:
    """A mart of the candidate: the number of its rows, and a few of them as a Markdown table."""

    rows: int
    preview: str


def built_marts(paths: DataPaths) -> dict[str, BuiltMart]:
    """The marts of the candidate by name."""
    with duckdb.connect() as connection:
        attach_candidate(connection, paths)
        marts = connection.execute(
            f"select table_name from ({_STORED}) where database_name = ? and schema_name = 'marts' order by 1",
            [CANDIDATE_DATABASE],
        ).fetchall()
        return {
            mart: BuiltMart(
                fetch_value(connection, f'select count(*) from {CANDIDATE_SCHEMA}."{mart}"'),
                preview_rows(connection, f'{CANDIDATE_SCHEMA}."{mart}"'),
            )
            for (mart,) in marts
        }


def attach_candidate(connection: duckdb.DuckDBPyConnection, paths: DataPaths) -> None:
    """Gives a connection read access to the candidate's marts, as `candidate.marts`."""
    connection.execute(f"attach {literal(paths.candidate)} as {CANDIDATE_DATABASE} (read_only)")
