"""The `warehouse` resource of the Dagster project: the data folder under its settings.

Settings are read when a step or a sensor opens the warehouse, not when definitions are loaded.
"""

from typing import Any

import dagster as dg
from pydantic import Field

from orchestration.stages import AppContext
from warehouse.config.settings import load_settings


class WarehouseResource(dg.ConfigurableResource[Any]):
    """Gives assets, ops and sensors the data folder and its settings."""

    settings: dict[str, str] = Field(
        default={},
        description="Settings that replace those of the environment and of .env, by their names in lower case:"
        ' {"data": "/tmp/data", "landing": "/tmp/landing"}. Tests use it.',
    )

    def open(self) -> AppContext:
        """Reads the settings and opens the data folder. Raises SettingsError if a setting is invalid."""
        return AppContext.of(load_settings(**self.settings))
