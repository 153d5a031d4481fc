"""dbt-duckdb's plugin: creates the folder of the dev files, and lets DuckDB read a lake in an object store.

`dbt_project/profiles.yml` names it. Not here: how DuckDB reads an object store (`warehouse.duckdb_tools.session`).
"""

from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin

from warehouse.duckdb_tools import enable_s3
from warehouse.storage import SCHEME, path_of


class Plugin(BasePlugin):
    """The methods that dbt-duckdb calls before it opens the files and for each connection."""

    def initialize(self, config: dict[str, Any]) -> None:
        self._lake = config.get("lake", "")
        if folder := config.get("folder"):
            Path(folder).mkdir(parents=True, exist_ok=True)

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        if self._lake.startswith(SCHEME):
            enable_s3(conn, path_of(self._lake))
