"""`sendmart dev`: Dagster's UI and daemon on this machine."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from dotenv import dotenv_values

from orchestration.cli.common import open_context
from warehouse.config.settings import DOTENV, PROJECT


def dev(
    port: Annotated[
        int | None, typer.Option(help="Port of the UI. Default: 3000, or a free port if 3000 is taken.")
    ] = None,
) -> None:
    """Open Dagster's UI. It shows this project, with the history in the data folder.

    Exit code: that of `dg dev`. 2: a setting is invalid.
    """
    from orchestration.run_refresh import dagster_home

    context = open_context()
    home = dagster_home(context)
    workspace = context.paths.dagster_home / "workspace.yaml"
    workspace.parent.mkdir(parents=True, exist_ok=True)
    # The name is that of `pyproject.toml`: Dagster keeps the state of schedules and sensors under it.
    code_location = {
        "module_name": "orchestration.definitions",
        "location_name": "sendmart",
        "working_directory": str(PROJECT),
        "executable_path": sys.executable,
    }
    # JSON is YAML, and PyYAML need not be imported.
    workspace.write_text(json.dumps({"load_from": [{"python_module": code_location}]}), encoding="utf-8")
    program = str(Path(sys.executable).with_name("dg"))
    # Dagster warns about the project's dagster.yaml when it is started in the project's folder with a DAGSTER_HOME. Started
    # elsewhere, it does not read .env.
    os.chdir(home)
    environment = {name: value for name, value in dotenv_values(DOTENV).items() if value is not None} | os.environ
    os.execve(
        program,
        [program, "dev", "--workspace", str(workspace), *(["--port", str(port)] if port else [])],
        {**environment, "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "1"},
    )
