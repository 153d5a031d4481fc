"""Opens the published build for each request, always the current one.

Publishing renames a new file over the old one. An open connection keeps reading the file that it opened. Each request
therefore compares the file's identity (inode, time, size), which takes microseconds, and opens the file only if it changed,
which takes 20 ms and loses DuckDB's cache.

Not here: the queries of the pages (`reports.campaign`, `reports.campaign_table`).
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import duckdb

from models.marts import SCHEMA
from warehouse.config.paths import DataPaths
from warehouse.config.settings import Settings
from warehouse.duckdb_tools.health import holds_rows
from warehouse.duckdb_tools.session import apply_limits
from warehouse.duckdb_tools.sql import literal
from warehouse.publish import is_masked

DATABASE = "published"
MARTS = f"{DATABASE}.{SCHEMA}"

Row = dict[str, Any]


class NothingPublished(Exception):
    """No build has been published yet."""


@dataclass
class Published:
    """The published build on a connection of its own, and queries on it."""

    connection: duckdb.DuckDBPyConnection

    def rows(self, query: str, parameters: dict[str, Any] | None = None) -> list[Row]:
        """All rows of a query, as dictionaries by column."""
        cursor = self.connection.execute(query, parameters or {})
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def row(self, query: str, parameters: dict[str, Any] | None = None) -> Row | None:
        """The first row of a query, or None."""
        return next(iter(self.rows(query, parameters)), None)

    def value(self, query: str, parameters: dict[str, Any] | None = None) -> Any:
        """The value of a query that gives one row of one column."""
        ((value,),) = self.connection.execute(query, parameters or {}).fetchall()
        return value

    def has(self, schema: str, table: str) -> bool:
        """Whether the build has a table. A build of an earlier release may lack it."""
        query = "select 1 from duckdb_columns() where (database_name, schema_name, table_name) = ($database, $schema, $table)"
        return self.row(query, {"database": DATABASE, "schema": schema, "table": table}) is not None

    def holds_rows(self, mart: str) -> bool:
        """Whether the rows of a mart are in the published file, not in files that it only refers to."""
        return holds_rows(self.connection, DATABASE, SCHEMA, mart)

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


class _Opened:
    """A build in a DuckDB instance of its own, shared by the requests that began while it was published."""

    def __init__(self, settings: Settings, paths: DataPaths) -> None:
        self.connection = duckdb.connect()
        try:
            apply_limits(self.connection, settings)
            self.connection.execute(f"attach {literal(paths.published_marts)} as {DATABASE} (read_only)")
        except BaseException:
            self.connection.close()
            raise


class PublishedDatabase:
    """Opens the published build once for all requests, and again when another build is published."""

    def __init__(self, settings: Settings, paths: DataPaths) -> None:
        self._settings, self._paths = settings, paths
        self._lock = threading.Lock()
        self._identity: Sequence[int] | None = None
        self._opened: _Opened | None = None

    @contextmanager
    def open(self) -> Iterator[Published]:
        """The published build. It stays the same until the end of the request.

        Raises:
            NothingPublished: no build has been published.
        """
        cursor = self._current().connection.cursor()
        try:
            yield Published(cursor)
        finally:
            cursor.close()

    def _current(self) -> _Opened:
        with self._lock:
            # Read before the file is opened: a build that is published in between is opened again at the next request.
            identity = self._file_identity()
            if identity != self._identity or self._opened is None:
                # The old connection is not closed here: requests may still read it. It goes with the last of them.
                self._opened = _Opened(self._settings, self._paths)
                self._identity = identity
            return self._opened

    def _file_identity(self) -> Sequence[int]:
        try:
            stat = self._paths.published_marts.stat()
        except FileNotFoundError as error:
            self._identity, self._opened = None, None
            raise NothingPublished("nothing has been published yet") from error
        return (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size)
