"""DuckDB sessions outside dbt: their attached files, their limits (dbt's profile sets the same), and reading objects.

Not here: how boto3 finds the store and the credentials (`warehouse.storage.object_store`).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import duckdb

from warehouse.duckdb_tools.sql import literal
from warehouse.storage import AnyPath, ObjectStoreFailed, is_object, store_access


class SessionLimits(Protocol):
    """The limits of a session. The settings (`warehouse.config.Settings`) have these fields."""

    @property
    def memory_limit(self) -> str:
        """DuckDB's notation, such as `2GiB`."""

    @property
    def threads(self) -> int: ...

    @property
    def scratch(self) -> Path:
        """DuckDB's spill directory; created if it does not exist."""


def apply_limits(connection: duckdb.DuckDBPyConnection, limits: SessionLimits) -> None:
    """Sets the limits on a connection."""
    limits.scratch.mkdir(parents=True, exist_ok=True)
    connection.execute(f"set memory_limit = {literal(limits.memory_limit)}; set threads = {limits.threads}")
    connection.execute(f"set temp_directory = {literal(limits.scratch)}")


_idle: dict[tuple[int, str, Path], duckdb.DuckDBPyConnection] = {}
"""The session that `small_session` keeps, by its process, memory limit and spill directory."""


@contextmanager
def small_session(limits: SessionLimits) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session with one thread, for work that takes about as long as opening a session: it is kept for the next use.

    The caller detaches what it attaches, and drops its tables. After an error, the session is closed.
    """
    key = os.getpid(), limits.memory_limit, limits.scratch
    # Taken out: a second use at the same time opens a session of its own.
    connection = _idle.pop(key, None) or _open_small(limits)
    try:
        yield connection
    except BaseException:
        connection.close()
        raise
    _idle.clear()
    _idle[key] = connection


def _open_small(limits: SessionLimits) -> duckdb.DuckDBPyConnection:
    limits.scratch.mkdir(parents=True, exist_ok=True)
    return duckdb.connect(
        config={
            "threads": 1,
            "memory_limit": limits.memory_limit,
            "temp_directory": str(limits.scratch),
            "enable_external_file_cache": False,  # files are replaced between two uses
        }
    )


@contextmanager
def attached(*, read_only: bool = True, **files: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A new session with these files attached; the keyword of a file is the name of its database."""
    with duckdb.connect() as connection:
        for database, file in files.items():
            connection.execute(f"attach {literal(file)} as {database}{' (read_only)' if read_only else ''}")
        yield connection


def enable_s3(connection: duckdb.DuckDBPyConnection, path: AnyPath) -> None:
    """Lets a connection read objects of this store, with the credentials of this moment; ObjectStoreFailed without any."""
    if not is_object(path):
        return
    import duckdb_extension_httpfs

    # The extension comes with its Python package: nothing is downloaded.
    folder = Path(duckdb_extension_httpfs.__file__).parent / "extensions" / f"v{duckdb.__version__}"
    connection.load_extension(str(folder / "httpfs.duckdb_extension"))
    secret = ", ".join(f"{name} {literal(value)}" for name, value in store_access(path).items() if value)
    try:
        connection.execute(f"create or replace temporary secret object_store (type s3, {secret})")
    except duckdb.Error:
        # Without the cause: DuckDB's message would quote the credentials.
        raise ObjectStoreFailed(f"{path}: DuckDB does not accept the credentials") from None
