"""The Dagster code location: everything under `defs/`.

Add an asset, a check or a schedule to the module of its stage. A module has a function of its own name under
`@dg.definitions`.
"""

import warnings
from importlib import import_module
from pkgutil import iter_modules

import dagster as dg

import orchestration.defs
from warehouse.transform.dbt_runner import prepare_import_of_dbt


@dg.definitions
def defs() -> dg.Definitions:
    # `dg.load_from_defs_folder` finds the same definitions. It also describes every type of component, which takes 3 % of the
    # CPU time of a small refresh. This project has no components.
    package = orchestration.defs
    prepare_import_of_dbt()
    names = [module.name for module in iter_modules(package.__path__)]
    with warnings.catch_warnings():
        for kind in (dg.BetaWarning, dg.PreviewWarning):  # `dg.load_from_defs_folder` ignores them, too
            warnings.simplefilter("ignore", kind)
        return dg.Definitions.merge(*(getattr(import_module(f"{package.__name__}.{name}"), name)() for name in names))
