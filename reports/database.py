"""The published build, opened for a request: always the one that lies there now.

A build is published by renaming a file over another. A handle that stays open keeps seeing the file that it opened, so
builds are told apart by the file itself (inode and time), looked at anew for each request; that costs microseconds, where
opening a build costs 20 ms and all that DuckDB has cached of it.

Not here: what is read of it; each page has a module of its own.
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
from warehouse.publish.masking import is_masked

DATABASE = "published"
MARTS = f"{DATABASE}.{SCHEMA}"

Row = dict[str, Any]


class NothingPublished(Exception):
    """There is no published build yet."""


@dataclass
class Published:
    """A published build, and questions to it."""

    connection: duckdb.DuckDBPyConnection

    def rows(self, query: str, parameters: dict[str, Any] | None = None) -> list[Row]:
        cursor = self.connection.execute(query, parameters or {})
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def row(self, query: str, parameters: dict[str, Any] | None = None) -> Row | None:
        return next(iter(self.rows(query, parameters)), None)

    def value(self, query: str, parameters: dict[str, Any] | None = None) -> Any:
        return self.connection.execute(query, parameters or {}).fetchone()[0]

    def has(self, schema: str, table: str) -> bool:
        """Whether the build has a table; one of an earlier release may lack it."""
        found = "select 1 from duckdb_columns() where (database_name, schema_name, table_name) = ($database, $schema, $table)"
        return self.row(found, {"database": DATABASE, "schema": schema, "table": table}) is not None

    def holds_rows(self, mart: str) -> bool:
        """Whether the rows of a mart are in the published file itself."""
        return holds_rows(self.connection, DATABASE, SCHEMA, mart)

    @cached_property
    def info(self) -> Row:
        """The row of `build_info`."""
        return self.row(f"select * from {MARTS}.build_info")

    @cached_property
    def choices(self) -> dict[str, Any]:
        """The settings under which the build was made."""
        return json.loads(self.info["settings"])

    @cached_property
    def is_masked(self) -> bool:
        """Whether numbers were masked before they were published: nobody here can tell them."""
        return is_masked(self.connection, DATABASE)


class _Opened:
    """A build in a DuckDB of its own, shared by the requests that began while it was published."""

    def __init__(self, settings: Settings, paths: DataPaths) -> None:
        self.connection = duckdb.connect()
        try:
            apply_limits(self.connection, settings)
            self.connection.execute(f"attach {literal(paths.published_marts)} as {DATABASE} (read_only)")
        except BaseException:
            self.connection.close()
            raise


class PublishedDatabase:
    """Opens the build that is published now, once for all requests; lets go of it when another is."""

    def __init__(self, settings: Settings, paths: DataPaths) -> None:
        self._settings, self._paths = settings, paths
        self._lock = threading.Lock()
        self._identity: Sequence[int] | None = None
        self._opened: _Opened | None = None

    @contextmanager
    def open(self) -> Iterator[Published]:
        """The build that is published now; it stays this one to the end of the request.

        Raises:
            NothingPublished: there is none.
        """
        cursor = self._current().connection.cursor()
        try:
            yield Published(cursor)
        finally:
            cursor.close()

    def _current(self) -> _Opened:
        with self._lock:
            # Looked at before it is opened: a build swapped in between is taken for the old one, and opened again next time.
            identity = self._look()
            if identity != self._identity or self._opened is None:
                # Not closed: requests still read it. It goes with the last of them.
                self._opened = _Opened(self._settings, self._paths)
                self._identity = identity
            return self._opened

    def _look(self) -> Sequence[int]:
        try:
            stat = self._paths.published_marts.stat()
        except FileNotFoundError as error:
            self._identity, self._opened = None, None
            raise NothingPublished("nothing has been published yet") from error
        return (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size)
