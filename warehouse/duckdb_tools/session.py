"""DuckDB sessions outside dbt: their attached files, their limits (dbt's profile sets the same), and reading objects.

Not here: how boto3 finds the store and the credentials (`warehouse.storage.object_store`).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

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


_unused: dict[int, list[duckdb.DuckDBPyConnection]] = {}
"""By process, the databases in memory that `new_session` keeps. A forked process must not close those of its parent, whose
threads it does not have.
"""

_GLOBAL_SETTINGS = ("memory_limit", "threads", "temp_directory", "preserve_insertion_order")
"""The settings that a session changes for its database; DuckDB forgets the others with the session."""

_STATE = f"""
    select
        [{", ".join(f"current_setting('{name}')::varchar" for name in _GLOBAL_SETTINGS)}],
        (select count(*) from duckdb_tables() where database_name = 'memory')
            + (select count(*) from duckdb_views() where database_name = 'memory' and not internal)
            + (select count(*) from duckdb_secrets())
"""


@contextmanager
def new_session() -> Iterator[duckdb.DuckDBPyConnection]:
    """A session with DuckDB's settings, and without any of an earlier one: temporary tables, views, macros.

    To open a database takes twenty times as long as to attach a file. The database in memory behind a session is kept for the
    next one, unless the session ends with an error, or leaves a table or a secret. Macros must be temporary.
    """
    unused = _unused.setdefault(os.getpid(), [])
    try:
        database = unused.pop()
    except IndexError:
        database = duckdb.connect(config={"enable_external_file_cache": False})  # files are replaced
    session = database.cursor()
    is_as_new = False
    try:
        yield session
        session.close()
        with suppress(duckdb.Error):  # after an error that the caller caught
            is_as_new = _clean(database)
    finally:
        session.close()
        if not is_as_new:
            database.close()
    if is_as_new:
        unused.append(database)


def _clean(database: duckdb.DuckDBPyConnection) -> bool:
    """Detaches the files of a session and resets its settings. Returns whether nothing is left of it."""
    files = "select database_name from duckdb_databases() where not internal and database_name <> 'memory'"
    for (name,) in database.execute(files).fetchall():
        database.execute(f'detach "{name}"')
    state = database.execute(_STATE).fetchone()
    if state != _new_state():
        database.execute("; ".join(f"reset {name}" for name in _GLOBAL_SETTINGS))
        state = database.execute(_STATE).fetchone()
    return bool(state == _new_state())


@lru_cache(maxsize=1)
def _new_state() -> Any:
    with duckdb.connect() as database:
        return database.execute(_STATE).fetchone()


@contextmanager
def attached(*, read_only: bool = True, **files: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A new session with these files attached; the keyword of a file is the name of its database."""
    with new_session() as connection:
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
