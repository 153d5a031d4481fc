"""`sendmart dev`: Dagster's UI."""

import os
import shutil
import sys
from pathlib import Path

from orchestration.commands.common import open_warehouse
from warehouse.settings import PROJECT


def dev() -> None:
    """Open Dagster's UI on the project, with the data folder's history."""
    from orchestration.running import dagster_home

    home = dagster_home(open_warehouse())
    program = shutil.which("dg", path=str(Path(sys.executable).parent))
    os.chdir(PROJECT)
    os.execve(program, [program, "dev"], {**os.environ, "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "1"})
