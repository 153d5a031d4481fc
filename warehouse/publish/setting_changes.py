"""The settings in which two builds differ. Figures under different settings are different figures.

Not here: the diff of the figures (`warehouse.publish.build_diff`), what a setting means (`warehouse.config.settings`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from models.marts import SCHEMA
from warehouse.duckdb_tools import fetch_value

CURRENCY = "reporting_currency"


@dataclass(frozen=True)
class SettingChange:
    """A setting that had another value when the later build was made."""

    name: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"SENDMART_{self.name.upper()} {_as_typed(self.before)} → {_as_typed(self.after)}"


def _as_typed(value: Any) -> str:
    """A value as a setting is written: `true`, not `True`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def find_setting_changes(
    connection: duckdb.DuckDBPyConnection, earlier: str, later: str, of_candidate: Mapping[str, Any]
) -> tuple[SettingChange, ...]:
    """The changes between two attached builds. `of_candidate` are the settings of a build that was not published yet."""
    before, after = (_settings_of(connection, database, of_candidate) for database in (earlier, later))
    return tuple(
        SettingChange(name, before[name], after[name])
        for name in sorted(before.keys() & after.keys())
        if before[name] != after[name]
    )


def _settings_of(
    connection: duckdb.DuckDBPyConnection, database: str, of_candidate: Mapping[str, Any]
) -> Mapping[str, Any]:
    try:
        settings: dict[str, Any] = json.loads(
            fetch_value(connection, f"select settings from {database}.{SCHEMA}.build_info")
        )
    except duckdb.CatalogException:
        return of_candidate
    return settings
