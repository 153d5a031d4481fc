"""Configuration: the settings, the paths of the data folder, and the file modes that both lead to.

Not here: what lies under the paths; each room knows its own files.
"""

from importlib.metadata import version

from warehouse.config.paths import DataPaths
from warehouse.config.settings import DBT_PREFIX, PROJECT, Engine, Settings

__all__ = ["DBT_PREFIX", "PROJECT", "DataPaths", "Engine", "Settings", "sendmart_version"]


def sendmart_version() -> str:
    return version("sendmart")
