"""A contact of the wide case that tests erase, and the search for it in every file of a data folder."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import openpyxl

from orchestration.stages import AppContext
from tests.running import RefreshedWarehouse

CONTACT, NUMBER = "p84-1", "+4477000841"
"""Of the wide case: sent to, clicked, ordered, opted out, each under this number."""


def copy_warehouse(refreshed: RefreshedWarehouse, folder: Path) -> AppContext:
    """A refreshed warehouse in a folder of its own, whose name a glob would take for a pattern, with its landing zone."""
    original = refreshed.warehouse
    changed = {"data": folder / "data [old] *", "landing": folder / "landing"}
    shutil.copytree(original.settings.data, changed["data"])
    shutil.copytree(refreshed.landing, changed["landing"])
    return AppContext.of(original.settings.model_copy(update=changed))


def files_with_contact(folder: Path, contact: str = CONTACT, number: str = NUMBER) -> set[str]:
    """Where the contact or its number stands: in bytes, or in the rows of files that are compressed."""
    either = re.compile(rf"(?<![\w-]){re.escape(contact)}(?![\w-])|{re.escape(number)}(?![0-9])")
    return {
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and any(either.search(text) for text in _texts(file))
    }


def _texts(file: Path) -> Iterator[str]:
    yield file.read_bytes().decode("latin-1")
    if file.suffix == ".xlsx":
        sheet = openpyxl.load_workbook(file).active
        yield from (str(value) for row in sheet.iter_rows(values_only=True) for value in row)
    if file.suffix == ".parquet":
        yield from (str(row) for row in duckdb.execute("from read_parquet(?)", [str(file)]).fetchall())
    if file.suffix == ".duckdb":
        with duckdb.connect() as connection:
            connection.execute(f"attach '{file}' as looked_at (read_only)")
            for schema, table in connection.execute(
                "select schema_name, table_name from duckdb_tables() where database_name = 'looked_at'"
            ).fetchall():
                yield from (str(row) for row in connection.execute(f'from looked_at.{schema}."{table}"').fetchall())
