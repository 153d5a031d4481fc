"""The Dagster code location: everything under `defs/`, loaded by itself.

To add an asset, a check or a schedule, add it to the module of its stage in `defs/`; nothing is listed here.
"""

import dagster as dg

import orchestration.defs


@dg.definitions
def defs() -> dg.Definitions:
    return dg.load_defs(orchestration.defs)
