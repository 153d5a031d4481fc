"""The `warehouse` resource of the Dagster project: the data folder under its settings.

Settings are read when a step or a sensor opens the warehouse, not when definitions are loaded. A run config cannot change
them. Otherwise a user of the UI could write to another folder, or turn the masking of phone numbers off.

Not here: the settings (`warehouse.config.settings`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from pydantic import Field, PrivateAttr

from orchestration.stages import AppContext
from warehouse.config.settings import SettingsError, load_settings


class WarehouseResource(dg.ConfigurableResource[Any]):
    """Gives assets, ops and sensors the data folder and its settings."""

    settings: dict[str, str] = Field(
        default={},
        description="Settings that replace those of the environment and of .env, by their names in lower case:"
        ' {"data": "/tmp/data", "landing": "/tmp/landing"}. Tests use it. Refused in a run config.',
    )
    _refusals: list[str] = PrivateAttr(default_factory=list)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Checks the config of the run. `open` raises what it finds, so that a step fails and says why."""
        config = context.run.run_config if context.run else {}
        self._refusals = list(_refusals(config))

    def open(self) -> AppContext:
        """Reads the settings and opens the data folder. Raises SettingsError if a setting or the run config is invalid."""
        if self._refusals:
            raise SettingsError("; ".join(self._refusals))
        return AppContext.of(load_settings(**self.settings))


def _refusals(config: Mapping[str, Any]) -> Iterator[str]:
    """What a run config may not hold."""
    if "warehouse" in config.get("resources", {}):
        yield "run config: resources.warehouse: settings are read from the environment and .env only"
    for step, of_step in config.get("ops", {}).items():
        if _has_variable(of_step):
            # Dagster replaces it by the value, which error messages and the history of runs would show.
            yield f'run config: ops.{step}: write the value itself in place of {{"env": ...}}'


def _has_variable(config: Any) -> bool:
    """Whether a value is to be read from an environment variable: `{"env": "NAME"}`."""
    if isinstance(config, Mapping):
        return "env" in config or any(map(_has_variable, config.values()))
    return isinstance(config, list) and any(map(_has_variable, config))
