"""Processes of their own for tests, forked from a server that has imported everything and run nothing.

Importing Dagster, dbt and Great Expectations takes longer than most of what a test has a process do. Threads of polars and
DuckDB do not survive a fork, so nothing may have run in the server.

Not here: what a process does, and how it is killed (`tests.fault.killing`).
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import entry_points
from pathlib import Path

from warehouse.config.settings import PROJECT

SENDMART = "sendmart"

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(
    [
        "tests.fault.killing",
        "orchestration.cli.main",
        "orchestration.run_refresh",
        "orchestration.definitions",
        "orchestration.dagster_instance",
        # What production code, pandera, Dagster and dbt import only when they need it, too.
        "pandera.strategies.base_strategies",
        "quality.audit.contracts",
        "quality.audit.expectations",
        "quality.audit.validation",
        "great_expectations.core.expectation_validation_result",
        "dagster_dbt",
        "dagster.components",
        "alembic.command",
        "sqlalchemy.dialects.sqlite",
        "watchdog.observers",
        "dbt.cli.main",
        "dbt.task.build",
        "dbt.adapters.duckdb",
        "dbt.adapters.duckdb.environments.local",
        "sqlglot.dialects.duckdb",
        "tests.preloaded",
    ]
)


def run_command_line(
    environment: dict[str, str],
    arguments: tuple[str, ...],
    kill_after: float | None = None,
    *,
    program: str = SENDMART,
    folder: Path = PROJECT,
    interrupt_at: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs a program in this environment alone, in a folder; gives what it printed and its exit code.

    After `kill_after` seconds it is killed, unless it has ended. When it has printed `interrupt_at`, it gets the signal SIGTERM.
    """
    with tempfile.TemporaryDirectory() as printed_to:
        printed = [Path(printed_to) / "stdout", Path(printed_to) / "stderr"]
        for file in printed:
            file.touch()
        process = processes.Process(target=run_in_environment, args=(environment, arguments, *printed, program, folder))
        process.start()
        if interrupt_at is not None:
            while interrupt_at not in printed[0].read_text(encoding="utf-8") and process.is_alive():
                time.sleep(0.01)
            process.terminate()
        process.join(kill_after)
        if process.is_alive():
            process.kill()
            process.join()
        out, err = (file.read_text(encoding="utf-8") for file in printed)
        return subprocess.CompletedProcess(arguments, process.exitcode, out, err)


def run_in_environment(
    environment: dict[str, str],
    arguments: tuple[str, ...],
    out: Path,
    err: Path,
    program: str = SENDMART,
    folder: Path = PROJECT,
) -> None:
    """Becomes the program: calls the function that the installed script of this name calls."""
    for file, descriptor in ((out, 1), (err, 2)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = [program, *arguments]
    (script,) = entry_points(group="console_scripts", name=program)
    script.load()()
