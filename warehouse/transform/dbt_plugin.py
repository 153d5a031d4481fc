"""dbt-duckdb's plugin for the lake: lets the connection of a build read a lake that lies in an object store.

`dbt_project/profiles.yml` names it. Not here: how that is done (`warehouse.storage.object_store`).
"""

from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin

from warehouse.duckdb_tools import enable_s3
from warehouse.storage import SCHEME, path_of


class Plugin(BasePlugin):
    """What dbt-duckdb calls for each connection it opens."""

    def initialize(self, config: dict[str, Any]) -> None:
        self._lake = config.get("lake", "")

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        if self._lake.startswith(SCHEME):
            enable_s3(conn, path_of(self._lake))
