"""The one resource of the Dagster project: the warehouse under its settings.

Settings are read when a run starts, not when definitions are loaded.
"""

import dagster as dg

from orchestration.stages import AppContext
from warehouse.config.settings import load_settings


class WarehouseResource(dg.ConfigurableResource):
    """Gives assets the data folder and the settings in force."""

    def open(self) -> AppContext:
        """The warehouse of this process's settings.

        Raises:
            SettingsError: a setting makes no sense.
        """
        return AppContext.of(load_settings())
