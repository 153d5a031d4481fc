"""The Dagster instance of the project, and its history in SQLite. `dagster dev` and `dg dev`, typed in the project's folder
without DAGSTER_HOME, find it by `dagster.yaml`; it replaces their temporary folder with the data folder's.

Not here: the folder of the history (`run_refresh.dagster_home`), the limits of runs (`dagster.yaml`), `sendmart dev`.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import dagster as dg
from filelock import FileLock
from sqlalchemy import Connection, Engine, NullPool, Pool, QueuePool, create_engine

from orchestration.dagster_internals import (
    SQLITE_BUSY_TIMEOUT_SECONDS,
    TMP_DAGSTER_HOME_PREFIX,
    ConfigurableClassData,
    DagsterSqliteStorage,
    InstanceRef,
    SqliteEventLogStorage,
    read_migrations_once,
)
from orchestration.run_refresh import dagster_home
from orchestration.stages import AppContext
from warehouse.config.settings import load_settings

log = logging.getLogger("dagster.sendmart")


class ProjectInstance(dg.DagsterInstance):
    """Dagster's own instance, with the history in the data folder if Dagster would keep it in a temporary folder."""

    @classmethod
    def config_schema(cls) -> Mapping[str, object]:
        """The class has no configuration of its own."""
        return {}

    @classmethod
    def config_defaults(cls, base_dir: str) -> Mapping[str, ConfigurableClassData | None]:
        """The storages for whatever `dagster.yaml` does not configure. `base_dir`: DAGSTER_HOME, or a temporary folder."""
        if Path(base_dir).name.startswith(TMP_DAGSTER_HOME_PREFIX):
            base_dir = str(dagster_home(AppContext.of(load_settings())))
            log.info("Sendmart keeps its history in %s, not in the temporary directory.", base_dir)
        storage = ConfigurableClassData(__name__, "SqliteStorage", json.dumps({"base_dir": base_dir}))
        return {**InstanceRef.config_defaults(base_dir), "storage": storage}


class SqliteStorage(DagsterSqliteStorage):
    """Dagster's own storage, in the same files, with the event log below."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        folder = Path(base_dir)
        folder.mkdir(parents=True, exist_ok=True)
        read_migrations_once()
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
    """Dagster's event log with one connection per file. Dagster opens one for each statement, and closing the last connection
    makes SQLite write its log back: half of the CPU time of the history.
    """

    def __init__(self, base_dir: str) -> None:
        super().__init__(base_dir)
        self._asset_key_columns: set[str] = set()

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            url, file = self.conn_string_for_shard(shard), self.path_for_shard(shard)
            if not os.path.exists(file):  # noqa: PTH110  thousands of times in a refresh: a `Path` takes longer
                self._initialized_dbs.discard(shard)
            if shard not in self._initialized_dbs:
                self._initdb(_new_engine(url, NullPool))
                self._initialized_dbs.add(shard)
            inode = os.stat(file).st_ino  # noqa: PTH116  likewise
            connection = _connection(os.getpid(), url, inode)
            with connection.begin():
                yield connection

    @lru_cache(maxsize=64)  # noqa: B019
    def has_table(self, table_name: str) -> bool:
        """Dagster asks for each check and never removes a table."""
        return super().has_table(table_name)

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        """Dagster asks for each event of an asset and never removes a column."""
        if column_name not in self._asset_key_columns and super()._has_asset_key_col_on_connection(conn, column_name):
            self._asset_key_columns.add(column_name)
        return column_name in self._asset_key_columns

    @lru_cache(maxsize=64)  # noqa: B019
    def conn_string_for_shard(self, shard_name: str) -> str:
        """Dagster's own builds it for each statement."""
        return super().conn_string_for_shard(shard_name)


@lru_cache(maxsize=16)
def _connection(process: int, url: str, inode: int) -> Connection:
    """The connection to a file, which a process keeps until it is another file, because the data folder was restored."""
    return _new_engine(url, QueuePool, pool_size=1, max_overflow=-1).connect()


def _new_engine(url: str, pool: type[Pool], **options: Any) -> Engine:
    return create_engine(url, poolclass=pool, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}, **options)
