"""Publication to readers of Spark: which build they see.

Not here: publication of the DuckDB file (`warehouse.publish`).
"""

import secrets
import shutil
from pathlib import Path

import duckdb

from models.marts import SCHEMA
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import literal
from warehouse.transform.spark.folders import build_ids, erasure_marker, marts_folder, record_published, table_names
from warehouse.transform.spark.session import run_macro
from warehouse.transform.spark.tables import drop_build


def publish_build(settings: Settings, paths: DataPaths, build_id: str, published: Path, *, is_masked: bool) -> None:
    """Points the views of the published schema at a build: all marts at once. `published` is its published DuckDB file.

    From this file come the tables that the build does not have: `build_info` and, if numbers are masked, every table.

    Raises:
        BuildFailed: with Spark's message.
    """
    marts = marts_folder(paths, build_id)
    publication = secrets.token_hex(3)
    folder = marts.with_name("published") / publication
    written = _write_from_duckdb(published, folder, all_tables=is_masked)
    arguments = {
        "published_schema": settings.spark_schema,
        "build_id": build_id,
        "tables": {name: name for name in table_names(marts)} | {name: f"{name}__{publication}" for name in written},
        "written": {f"{name}__{publication}": str(table) for name, table in written.items()},
    }
    run_macro(settings, paths, build_id, "publish_marts", arguments)
    record_published(paths, build_id)
    for earlier in folder.parent.iterdir():
        if earlier != folder:
            shutil.rmtree(earlier)
    for earlier_id in build_ids(paths):
        if earlier_id != build_id and erasure_marker(paths, earlier_id).exists():
            drop_build(settings, paths, earlier_id, with_marts=True)


def _write_from_duckdb(published: Path, folder: Path, *, all_tables: bool) -> dict[str, Path]:
    """Writes tables of a published DuckDB file as Parquet; returns the folder of each table by name."""
    written = {}
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(published)} as published (read_only)")
        tables = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'published' and schema_name = ?", [SCHEMA]
        ).fetchall()
        for (table,) in tables:
            if all_tables or table == "build_info":
                table_folder = folder / table
                table_folder.mkdir(parents=True)
                file = literal(table_folder / "part-0.parquet")
                connection.execute(f'copy published.{SCHEMA}."{table}" to {file} (format parquet)')
                written[table] = table_folder
    return written
