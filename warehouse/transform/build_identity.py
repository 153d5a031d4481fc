"""The identity of a build, in both of its files: the id of the build and the fingerprint of its files, settings and code.

It is written when a build is complete. A dbt run that is not a refresh removes it (`dbt_project/macros/run_start.sql`). The
next build goes on from the tables in the files only if both files hold the build that the ledger has as its last one.

Not here: what becomes of files with another identity (`warehouse.transform.build`).
"""

from pathlib import Path

import duckdb

from warehouse.config import DataPaths
from warehouse.duckdb_tools import literal
from warehouse.ledger import Build, Ledger

SCHEMA, TABLE = "internal", "build_identity"


def write_identity(paths: DataPaths, build: Build) -> None:
    """Writes the identity of a complete build to both of its files."""
    for file in (paths.build, paths.candidate):
        with duckdb.connect() as connection:
            connection.execute(f"attach {literal(file)} as build")
            connection.execute(f"create schema if not exists build.{SCHEMA}")
            connection.execute(
                f"create or replace table build.{SCHEMA}.{TABLE} as select $build_id as build_id, $inputs as inputs",
                {"build_id": build.build_id, "inputs": build.inputs},
            )


def identity_mismatch(paths: DataPaths, ledger: Ledger) -> str | None:
    """Why the files are not those of the ledger's last build, in one line; None if they are.

    A file that cannot be opened is skipped: the next step that reads it reports the reason.
    """
    last_build = ledger.last_build()
    if last_build is None:
        return "the ledger has no build"
    with duckdb.connect() as connection:
        for file in (paths.build, paths.candidate):
            try:
                identity = _read_identity(connection, file)
            except duckdb.Error:
                continue
            if identity is None:
                return f"{file} has changed since build {last_build.build_id}: another dbt run has written to it"
            if identity != (last_build.build_id, last_build.inputs):
                return f"{file} holds build {identity[0]}, and the last build is {last_build.build_id}"
    return None


def _read_identity(connection: duckdb.DuckDBPyConnection, file: Path) -> tuple[str, str] | None:
    connection.execute(f"attach or replace {literal(file)} as build (read_only)")
    try:
        return connection.execute(f"select build_id, inputs from build.{SCHEMA}.{TABLE}").fetchone()
    except duckdb.CatalogException:  # the table does not exist
        return None
