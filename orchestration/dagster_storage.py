"""Dagster's history in SQLite, with one SQLAlchemy engine per database file.

Dagster makes an engine for each event, which then compiles each statement anew: a third of the CPU time of the history.

Not here: the folder of the history (`run_refresh.dagster_home`), the instance that uses the storage (`dagster_instance`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import Connection, Engine, NullPool, create_engine

from orchestration.dagster_internals import (
    SQLITE_BUSY_TIMEOUT_SECONDS,
    ConfigurableClassData,
    DagsterSqliteStorage,
    SqliteEventLogStorage,
)


class SqliteStorage(DagsterSqliteStorage):
    """Dagster's own storage, in the same files, with the event log below."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        folder = Path(base_dir)
        folder.mkdir(parents=True, exist_ok=True)
        # Two processes that create the databases at once would both record a version, which Dagster refuses from then on.
        with FileLock(folder / ".storage.lock"):
            super().__init__(base_dir, inst_data)
            self._event_log_storage = EventLogStorage(str(folder / "history" / "runs"))

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "SqliteStorage":
        """Dagster's own method makes Dagster's class."""
        return cls.from_local(config_value["base_dir"], inst_data)


class EventLogStorage(SqliteEventLogStorage):
    """Dagster's own event log. Its engines keep no connection open."""

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = _engine(self.conn_string_for_shard(shard))
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection


@lru_cache(maxsize=16)
def _engine(url: str) -> Engine:
    return create_engine(url, poolclass=NullPool, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
