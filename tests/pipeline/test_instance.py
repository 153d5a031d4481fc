"""The Dagster instance: one run at a time, which faults are tried again, what is known of a run that died or hangs.

The whole of it, with a daemon, is tried in `tests/fault/test_runs_of_the_daemon.py`.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest
import yaml

from models.error_codes import Code
from orchestration.defs import shared
from orchestration.defs.shared import MAX_RETRIES, POOL, retry_transient
from orchestration.errors import failure_of_step
from orchestration.run_launcher import WatchedRunLauncher
from orchestration.run_refresh import STARTED_BY_COMMAND, dagster_home
from tests.running import RefreshedWarehouse, clean_environment, environment
from warehouse.config.settings import PROJECT


@pytest.fixture
def settings_of_small(refreshed_small: RefreshedWarehouse) -> Iterator[RefreshedWarehouse]:
    with environment(refreshed_small.environment):
        yield refreshed_small


def test_everything_that_writes_is_in_the_pool_of_one_run(settings_of_small: RefreshedWarehouse) -> None:
    from orchestration.definitions import defs

    for definition in defs().assets:
        assert definition.op.pool == POOL, definition.keys
    instance = dg.DagsterInstance.from_config(str(dagster_home(settings_of_small.warehouse)))
    pools = instance.get_concurrency_config().pool_config
    assert (pools.pool_granularity.value, pools.default_pool_limit) == ("run", 1)


def test_the_instance_of_a_server_is_the_project_s_but_for_its_storage() -> None:
    own = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    server = yaml.safe_load((PROJECT / "docker" / "dagster.yaml").read_text())
    assert server.pop("storage")["postgres"]["postgres_db"]["password"] == {"env": "DAGSTER_POSTGRES_PASSWORD"}
    assert server == own


@pytest.mark.parametrize("is_generator", [True, False])
def test_a_file_that_is_open_elsewhere_is_tried_again_and_a_full_disk_is_not(
    settings_of_small: RefreshedWarehouse, is_generator: bool
) -> None:
    tries = []

    def fail() -> None:
        tries.append(1)
        raise [duckdb.IOException("Could not set lock on file"), OSError("No space left on device")][len(tries) - 1]

    def step():
        fail()
        yield

    with pytest.raises(dg.RetryRequested) as asked:
        list(retry_transient(step)()) if is_generator else retry_transient(fail)()
    assert asked.value.max_retries == MAX_RETRIES
    assert asked.value.seconds_to_wait
    with pytest.raises(OSError, match="No space left"):
        list(retry_transient(step)()) if is_generator else retry_transient(fail)()


def test_a_step_that_meets_a_file_open_elsewhere_says_so_or_goes_on_once_it_is_closed(
    settings_of_small: RefreshedWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "build.duckdb"
    other = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import duckdb, time; c = duckdb.connect('{file}'); print(1, flush=True); time.sleep(600)",
        ],
        stdout=subprocess.PIPE,
    )
    assert other.stdout.readline()

    @dg.op
    @retry_transient
    def opening() -> None:
        try:
            duckdb.connect(file).close()
        finally:
            if shared.MAX_RETRIES:
                other.kill()
                other.wait()

    @dg.job
    def opens() -> None:
        opening()

    monkeypatch.setattr(shared, "RETRY_DELAY_SECONDS", 0.1)
    monkeypatch.setattr(shared, "MAX_RETRIES", 0)
    (failed,) = opens.execute_in_process(raise_on_error=False).filter_events(lambda event: event.is_step_failure)
    told = failure_of_step("opening", failed.step_failure_data.error, settings_of_small.warehouse)
    assert told.code is Code.FILE_LOCKED
    monkeypatch.setattr(shared, "MAX_RETRIES", 1)
    assert opens.execute_in_process().retry_attempts_for_node("opening") == 1


# --- a run that died


def test_a_killed_refresh_of_the_command_line_is_known_to_be_dead_by_the_lock(
    settings_of_small: RefreshedWarehouse,
) -> None:
    run = dg.DagsterRun("csv_exports", tags=STARTED_BY_COMMAND, status=dg.DagsterRunStatus.STARTED)
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDS_THE_LOCK],
        env=clean_environment(settings_of_small.environment),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.readline()
    assert WatchedRunLauncher().check_run_worker_health(run).status.name == "RUNNING"
    holder.kill()
    holder.wait()
    assert WatchedRunLauncher().check_run_worker_health(run).status.name == "NOT_FOUND"


_HOLDS_THE_LOCK = """
import time
from orchestration.stages import AppContext
from warehouse.config.settings import load_settings
with AppContext.of(load_settings()).paths.writer_lock():
    print("held", flush=True)
    time.sleep(600)
"""


# --- a run that hangs


def test_a_run_that_hangs_outside_of_python_ends_itself_and_says_where_it_stood(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text(
        f"run_monitoring: {{enabled: true, max_runtime_seconds: {shared.AHEAD_SECONDS + 10}}}\n"
    )
    (tmp_path / "hanging.py").write_text(_HANGS)
    hung = subprocess.run(
        [sys.executable, tmp_path / "hanging.py"],
        env=clean_environment({"DAGSTER_HOME": str(tmp_path)}),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert hung.returncode == 1
    assert "Timeout" in hung.stderr
    assert "in sleeping_with_the_interpreter_locked" in hung.stderr


_HANGS = """
import ctypes
import dagster as dg
from orchestration.defs import common

@dg.op
def sleeping_with_the_interpreter_locked():
    ctypes.PyDLL(None).sleep(600)

@dg.job(executor_def=common.in_process)
def hanging():
    sleeping_with_the_interpreter_locked()

if __name__ == "__main__":
    dg.execute_job(dg.reconstructable(hanging), dg.DagsterInstance.get())
"""
