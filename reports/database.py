"""Opens the published build for each request, always the current one, and reads pages of rows from it.

Publishing renames a new file over the old one. An open connection keeps reading the file that it opened. Each request
therefore compares the file's identity (inode, time, size), which takes microseconds, and opens the file only if it changed,
which takes 20 ms and loses DuckDB's cache.

Not here: which rows a page shows (`reports.queries`).
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import duckdb

from models.insights import SCHEMA as INSIGHTS_SCHEMA
from models.marts import MARTS as CONTRACTS
from models.marts import SCHEMA, MartColumn, qualified
from warehouse.config.paths import DataPaths
from warehouse.config.settings import Settings
from warehouse.duckdb_tools import apply_limits, fetch_value, holds_rows, literal
from warehouse.publish.published_file import is_masked

DATABASE = "published"
MARTS = f"{DATABASE}.{SCHEMA}"
INSIGHTS = f"{DATABASE}.{INSIGHTS_SCHEMA}"
PAGE_SIZE = 50

Row = dict[str, Any]


class NothingPublished(Exception):
    """No build has been published yet."""


@dataclass(frozen=True)
class Selection:
    """Rows of a mart: an SQL condition with its parameters, and the columns of their order, each with `True` if descending.

    `columns` are those of a CSV, each with its header; None stands for all columns of the mart. `query` is SQL whose rows are
    selected from instead of the mart's: the mart joined with names, or summed; `columns` then must be given.
    """

    mart: str
    where: str
    parameters: dict[str, Any]
    order: tuple[tuple[str, bool], ...]
    columns: Sequence[tuple[MartColumn, str]] | None = None
    query: str = ""

    @property
    def from_sql(self) -> str:
        """The rows, named `mart`."""
        rows = f"({self.query})" if self.query else f"{DATABASE}.{qualified(self.mart)}"
        return f"from {rows} as mart {self.where}"

    def order_sql(self, *, is_reversed: bool = False) -> str:
        """The `order by` expressions over `mart`. Nulls come last in both directions of a column."""
        nulls = "first" if is_reversed else "last"
        return ", ".join(
            f"mart.{name} {'asc' if descending is is_reversed else 'desc'} nulls {nulls}"
            for name, descending in self.order
        )


@dataclass(frozen=True)
class Page:
    """A page of rows: its number, the number of pages, and the `count` of all rows."""

    rows: list[Row]
    count: int
    number: int
    pages: int

    @property
    def first(self) -> int:
        return (self.number - 1) * PAGE_SIZE + 1

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1


@dataclass
class Published:
    """The published build on a connection of its own, and queries on it."""

    connection: duckdb.DuckDBPyConnection

    def rows(self, query: str, parameters: dict[str, Any] | None = None) -> list[Row]:
        """All rows of a query, as dictionaries by column."""
        cursor = self.connection.execute(query, parameters or {})
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def page(self, selection: Selection, number: int, count: int | None = None) -> Page:
        """A page of the selected rows, the last one if there are fewer. `count` is the number of rows, if it is known."""
        if count is None:
            count = int(fetch_value(self.connection, f"select count(*) {selection.from_sql}", selection.parameters))
        if not count:
            return Page([], 0, 1, 1)
        pages = max(1, -(-count // PAGE_SIZE))
        number = min(number, pages)
        before = (number - 1) * PAGE_SIZE
        page_rows = min(PAGE_SIZE, count - before)
        # Sorted from the nearer end, so that the last page costs as much as the first.
        is_reversed = before > count / 2
        skip = count - before - page_rows if is_reversed else before
        order = selection.order_sql(is_reversed=is_reversed)
        page = f"{selection.from_sql} order by {order} limit $page_rows offset $skip"
        # If possible, only the keys are sorted; the other columns are read for the rows of the page alone.
        if not selection.query and holds_rows(
            self.connection, DATABASE, CONTRACTS[selection.mart].schema, selection.mart
        ):
            rows = f"from {DATABASE}.{qualified(selection.mart)} as mart where rowid in (select rowid {page})"
        else:
            rows = f"from (select * {page}) as mart"
        parameters = {**selection.parameters, "page_rows": page_rows, "skip": skip}
        return Page(self.rows(f"select * {rows} order by {selection.order_sql()}", parameters), count, number, pages)

    def has(self, schema: str, table: str) -> bool:
        """Whether the build has a table. A build of an earlier release may lack it."""
        query = "select 1 from duckdb_columns() where (database_name, schema_name, table_name) = ($database, $schema, $table)"
        return bool(self.rows(query, {"database": DATABASE, "schema": schema, "table": table}))

    @cached_property
    def info(self) -> Row:
        """The row of `build_info`."""
        (info,) = self.rows(f"select * from {MARTS}.build_info")
        return info

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The settings of the build."""
        settings: dict[str, Any] = json.loads(self.info["settings"])
        return settings

    @cached_property
    def is_masked(self) -> bool:
        """Whether the mobile numbers in the published file are masked, so that no page can show them."""
        return is_masked(self.connection, DATABASE)


class PublishedDatabase:
    """Opens the published build once for all requests, and again when another build is published."""

    def __init__(self, settings: Settings, paths: DataPaths) -> None:
        self._settings, self._paths, self._lock = settings, paths, threading.Lock()
        self._identity: Sequence[int] = ()
        self._connection: duckdb.DuckDBPyConnection | None = None

    @contextmanager
    def open(self) -> Iterator[Published]:
        """The published build. It stays the same until the end of the request. Raises `NothingPublished` if there is none."""
        with self._current().cursor() as cursor:
            yield Published(cursor)

    def _current(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            # Read before the file is opened: a build that is published in between is opened again at the next request.
            try:
                stat = self._paths.published_marts.stat()
            except FileNotFoundError as error:
                self._connection = None
                raise NothingPublished("nothing has been published yet") from error
            identity = (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size)
            if self._connection is None or identity != self._identity:
                connection = duckdb.connect()
                apply_limits(connection, self._settings)
                connection.execute(f"attach {literal(self._paths.published_marts)} as {DATABASE} (read_only)")
                # The old connection is not closed here: requests may still read it. It goes with the last of them.
                self._connection, self._identity = connection, identity
            return self._connection
