"""`sendmart dev`: Dagster's UI."""

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.common import open_warehouse
from warehouse.config.settings import PROJECT


def dev(
    port: Annotated[
        int | None, typer.Option(help="The UI's port; by default 3000, or another if that is taken.")
    ] = None,
) -> None:
    """Open Dagster's UI on the project, with the data folder's history."""
    from orchestration.run_refresh import dagster_home

    home = dagster_home(open_warehouse())
    program = shutil.which("dg", path=str(Path(sys.executable).parent))
    os.chdir(PROJECT)
    arguments = [program, "dev"] if port is None else [program, "dev", "--port", str(port)]
    os.execve(program, arguments, {**os.environ, "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "1"})
