"""The commands that Dagster's users type in the project's folder, `dg`, `dagster dev`, `sendmart dev`, and what imports do."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from orchestration.dagster_internals import TMP_DAGSTER_HOME_PREFIX, InstanceRef
from tests.running import SENDMART, RefreshedWarehouse, clean_environment, environment
from warehouse.config.settings import PROJECT

PROGRAMS = SENDMART.parent


# The definitions themselves are loaded by many tests.
@pytest.mark.torture
@pytest.mark.parametrize("command", ["check defs", "list defs"])
def test_dg_loads_the_definitions(refreshed_small: RefreshedWarehouse, command: str) -> None:
    process = subprocess.run(
        [PROGRAMS / "dg", *command.split()],
        cwd=PROJECT,
        env={**clean_environment(refreshed_small.environment), "COLUMNS": "250"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    if command == "list defs":
        for name in ("published/marts", "nightly_refresh", "landing_zone", "prune_exports"):
            assert name in process.stdout


def test_the_temporary_instance_of_dagster_dev_has_the_history_of_the_data_folder(
    refreshed_small: RefreshedWarehouse, tmp_path: Path
) -> None:
    home = tmp_path / f"{TMP_DAGSTER_HOME_PREFIX}x"
    home.mkdir()
    with (
        environment(refreshed_small.environment),
        dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), config_dir=str(PROJECT))) as instance,
    ):
        assert "refresh" in {run.job_name for run in instance.get_runs()}
        assert instance.run_monitoring_enabled, "the limits of dagster.yaml hold"
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("program", ["dg", "sendmart"])
def test_every_dev_command_starts_with_the_history_of_the_data_folder(
    refreshed_small: RefreshedWarehouse, program: str
) -> None:
    """`dagster dev` is the same program as `dg dev`."""
    history = str(refreshed_small.warehouse.paths.dagster_home)
    with _started([PROGRAMS / program, "dev", "--port", _free_port()], refreshed_small) as lines:
        output = []
        for line in lines:
            output.append(line)
            if "Launching Dagster services" in line:
                break
        else:
            pytest.fail("".join(output))
    if program == "sendmart":
        assert not [line for line in output if "dagster.yaml" in line or "temporary directory" in line]
    else:
        assert f"Sendmart keeps its history in {history}, not in the temporary directory." in "".join(output)


@contextmanager
def _started(command: list[str | Path], case: RefreshedWarehouse) -> Iterator[Iterator[str]]:
    """The lines that a command writes. It is interrupted at the end, as with Ctrl-C, and removes its temporary directory."""
    with subprocess.Popen(
        command,
        cwd=PROJECT,
        env=clean_environment(case.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()


def _free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


_IMPORTS_EVERY_MODULE = """
import importlib, pkgutil, sys
import orchestration.defs, orchestration.definitions
for module in pkgutil.iter_modules(orchestration.defs.__path__, "orchestration.defs."):
    importlib.import_module(module.name)
assert "dbt.cli.main" not in sys.modules
"""


def test_the_import_of_the_definitions_reads_no_settings_and_writes_nothing(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-c", _IMPORTS_EVERY_MODULE],
        env=clean_environment({"SENDMART_DATA": str(tmp_path / "data"), "SENDMART_FIRST_LOG_DATE": "not a date"}),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert list(tmp_path.iterdir()) == []
