"""What a refresh imports or computes once per process: the fork server imports this module, and its processes find it done.

The dbt project is parsed with the default settings, which most of the processes have, and its macros are compiled. No thread
is started, because threads do not survive a fork.
"""

import gc
import os
import pkgutil
import tempfile
from pathlib import Path

from dbt_common.clients.jinja import template_cache

import orchestration.defs
from models.logs import CONTRACTS
from models.marts import MARTS
from orchestration.cli.main import COMMANDS, load_command
from tests.cheaper_dbt import make_dbt_cheaper
from warehouse.config import DataPaths
from warehouse.config.settings import load_settings
from warehouse.transform import dbt_runner

for command in COMMANDS:
    load_command(command)
for module in pkgutil.iter_modules(orchestration.defs.__path__, "orchestration.defs."):
    pkgutil.resolve_name(module.name)

for contract in (*CONTRACTS.values(), *(mart.contract for mart in MARTS.values())):
    contract.to_schema()
make_dbt_cheaper()
os.environ["DBT_STATIC_PARSER"] = "false"  # it has threads
with tempfile.TemporaryDirectory() as folder:
    dbt_runner.run_dbt(load_settings(data=folder), DataPaths(Path(folder)), ["parse"])
del os.environ["DBT_STATIC_PARSER"]
assert dbt_runner._last_parsed is not None
for macro in dbt_runner._last_parsed[1].macros.values():
    template_cache.get_node_template(macro)

gc.freeze()  # the collector of a forked process need not look through, and so copy, what is here
gc.set_threshold(1_000_000, 10, 10)  # as in tests/conftest.py
