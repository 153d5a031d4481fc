"""The Dagster code location: everything under `defs/`, loaded by itself.

To add an asset, a check or a schedule, add it to the module of its stage in `defs/`; nothing is listed here.
"""

import dagster as dg

from warehouse.config.settings import PROJECT


@dg.definitions
def defs() -> dg.Definitions:
    return dg.load_from_defs_folder(project_root=PROJECT)
