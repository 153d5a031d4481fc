"""The rows behind an explanation: queries on the build of the id and on the published marts, and lists made from them.

Not here: what each kind of id is explained by (`campaign`, `message`, `order`, `contact`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from models.enums import Log
from models.masking import MASKED_COLUMNS, masked_number
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import literal
from warehouse.explain.explanation import Explanation, Listing, UnknownId
from warehouse.explain.id_build import IdBuild
from warehouse.ledger import Ledger

MAX_ROWS = 10
"""The rows of a list that are shown; the others are counted."""

CAME_IN = "source_file || ', row ' || row_number as came_in"
"""The column that names the file and the row that a row came from."""


@dataclass(frozen=True)
class Evidence:
    """A connection with the build of the ids and, if there is one, the published build as `published.marts`."""

    settings: Settings
    paths: DataPaths
    ledger: Ledger
    connection: duckdb.DuckDBPyConnection
    id_build: IdBuild
    has_published: bool

    def records(self, query: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The rows of a query, each by column name."""
        cursor = self.connection.execute(query, parameters or {})
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def add_list(
        self,
        explanation: Explanation,
        title: str,
        query: str,
        columns: str,
        parameters: Mapping[str, Any] | None = None,
    ) -> bool:
        """Adds the first rows of a query (`from … order by …`) to an explanation; false if it has none."""
        (count,) = self.records(f"select count(*) as total from (select 1 {query})", parameters)
        if not count["total"]:
            return False
        cursor = self.connection.execute(f"select {columns} {query} limit {MAX_ROWS}", parameters or {})
        names = tuple(column[0] for column in cursor.description)
        rows = tuple(
            tuple(
                masked_number(value) if name in MASKED_COLUMNS and value else value
                for name, value in zip(names, row, strict=True)
            )
            for row in cursor.fetchall()
        )
        explanation.listings.append(Listing(title, names, rows, count["total"]))
        return True

    def add_published(self, explanation: Explanation, mart: str, key_column: str) -> bool:
        """Adds the published values of the figures; false if the mart has no such row."""
        if not self.has_published:
            return False
        rows = self.records(f"from published.marts.{mart} where {key_column} = $key", explanation.parameters)
        for row in rows:
            explanation.published |= {name: value for name, value in row.items() if name in explanation.conclusion}
        return bool(rows)

    def kept_row(self, log: Log) -> str:
        """In words: which of the rows with the key is kept, and the rule that decided."""
        rows = self.records(
            f"select sort_values, rows_of_key, source_file, row_number from {log}_rows order by row_rank limit 2"
        )
        kept = rows[0]
        location = f"row {kept['row_number']} of {log}/{kept['source_file']}"
        if len(rows) == 1:
            return f"its only row in the log is {location}"
        rule = self.id_build.deduplication[log].deciding_term(kept["sort_values"], rows[1]["sort_values"])
        return f"of {kept['rows_of_key']} rows in the log, {location} is kept: {rule}"

    def add_quarantined(self, explanation: Explanation) -> None:
        """Adds the rows in quarantine whose text contains the id."""
        files = sorted(self.paths.quarantine.glob("*/log_date=*/*.parquet"))
        if files:
            self.add_list(
                explanation,
                "Rows in quarantine that contain the id: they count in no figure",
                f"from (select * from read_parquet([{', '.join(literal(file) for file in files)}],"
                " hive_partitioning = true, hive_types = {'log_date': date}, filename = true)"
                " where contains(raw_row, $key)) order by log_date, source_file, row_number",
                "split_part(filename, '/', -3) as log, source_file, row_number, array_to_string(reasons, '; ') as reasons",
                explanation.parameters,
            )


def open_evidence(
    settings: Settings, paths: DataPaths, ledger: Ledger, connection: duckdb.DuckDBPyConnection
) -> Evidence:
    """Prepares a connection, which nothing else may use.

    Raises:
        UnknownId: nothing has been loaded yet.
        BuildFailed: dbt cannot compile the project.
    """
    if not paths.has_lake():
        raise UnknownId("Nothing has been loaded yet")
    has_published = paths.published_marts.exists()
    if has_published:
        attach_published(connection, paths)
    return Evidence(settings, paths, ledger, connection, IdBuild(connection, settings, paths), has_published)


def attach_published(connection: duckdb.DuckDBPyConnection, paths: DataPaths) -> None:
    """Gives a connection read access to the published marts, as `published.marts`."""
    connection.execute(f"attach {literal(paths.published_marts)} as published (read_only)")
