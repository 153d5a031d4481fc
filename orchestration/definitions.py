"""The Dagster code location: everything under `defs/`.

Dagster finds the modules of `defs/` by itself: add an asset, a check or a schedule to the module of its stage.
"""

import dagster as dg

from warehouse.config.settings import PROJECT


@dg.definitions
def defs() -> dg.Definitions:
    return dg.load_from_defs_folder(project_root=PROJECT)
