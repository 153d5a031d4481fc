"""The Dagster instance: one run at a time, which errors are retried, and runs that died or hang.

`tests/fault/test_daemon_runs.py` tests the instance with a daemon and a code server.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import duckdb
import pytest
import yaml

from models.error_codes import Code
from orchestration.dagster_instance import ProjectInstance
from orchestration.defs import shared
from orchestration.defs.shared import MAX_RETRIES, POOL, retry_transient
from orchestration.errors import failure_of_step
from orchestration.resources import WarehouseResource
from orchestration.run_launcher import WatchedRunLauncher
from orchestration.run_refresh import STARTED_BY_COMMAND, dagster_home
from tests.running import RefreshedWarehouse, clean_environment, environment
from warehouse.config.settings import PROJECT


def test_everything_that_writes_is_in_the_pool_of_one_run(
    definitions: dg.Definitions, refreshed_small: RefreshedWarehouse
) -> None:
    for asset in (asset for asset in definitions.assets if isinstance(asset, dg.AssetsDefinition)):
        assert asset.op.pool == POOL, asset.keys
    for node in definitions.resolve_job_def("prune_exports").all_node_defs:
        assert node.pool == POOL
    with dg.DagsterInstance.from_config(str(dagster_home(refreshed_small.warehouse))) as instance:
        pools = instance.get_concurrency_config().pool_config
        assert (pools.pool_granularity.value, pools.default_pool_limit) == ("run", 1)


def test_the_instance_of_a_server_is_the_project_s_but_for_its_storage() -> None:
    project = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    assert project.pop("instance_class")["class"] == ProjectInstance.__name__, "a server has DAGSTER_HOME"
    server = yaml.safe_load((PROJECT / "docker" / "dagster.yaml").read_text())
    assert server.pop("storage")["postgres"]["postgres_db"]["password"] == {"env": "DAGSTER_POSTGRES_PASSWORD"}
    assert server == project


@pytest.mark.parametrize("is_generator", [True, False])
def test_a_file_that_is_open_elsewhere_is_retried_and_a_full_disk_is_not(
    small_resource: WarehouseResource, is_generator: bool
) -> None:
    def raise_error(error: Exception) -> Callable[[], object]:
        def step(warehouse: WarehouseResource) -> None:
            raise error

        def generator_step(warehouse: WarehouseResource):
            raise error
            yield

        if is_generator:
            return lambda: list(retry_transient(generator_step)(warehouse=small_resource))
        return lambda: retry_transient(step)(warehouse=small_resource)

    with pytest.raises(dg.RetryRequested) as retry:
        raise_error(duckdb.IOException("Could not set lock on file"))()
    assert retry.value.max_retries == MAX_RETRIES
    assert retry.value.seconds_to_wait
    with pytest.raises(OSError, match="No space left"):
        raise_error(OSError("No space left on device"))()


def test_a_step_that_cannot_lock_a_file_says_so_and_succeeds_once_the_file_is_closed(
    refreshed_small: RefreshedWarehouse,
    small_resource: WarehouseResource,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "build.duckdb"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import duckdb, time; c = duckdb.connect('{file}'); print(1, flush=True); time.sleep(600)",
        ],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.readline()

    @dg.op
    @retry_transient
    def open_file(warehouse: WarehouseResource) -> None:
        try:
            duckdb.connect(file).close()
        finally:
            if shared.MAX_RETRIES:
                holder.kill()
                holder.wait()

    @dg.job(resource_defs={"warehouse": small_resource})
    def open_file_job() -> None:
        open_file()

    monkeypatch.setattr(shared, "RETRY_DELAY_SECONDS", 0.1)
    monkeypatch.setattr(shared, "MAX_RETRIES", 0)
    (event,) = open_file_job.execute_in_process(raise_on_error=False).filter_events(lambda event: event.is_step_failure)
    failure = failure_of_step("open_file", event.step_failure_data.error, refreshed_small.warehouse)
    assert failure.code is Code.FILE_LOCKED
    monkeypatch.setattr(shared, "MAX_RETRIES", 1)
    assert open_file_job.execute_in_process().retry_attempts_for_node("open_file") == 1


# --- a run that died


def test_the_lock_shows_whether_a_refresh_of_the_command_line_is_alive(refreshed_small: RefreshedWarehouse) -> None:
    run = dg.DagsterRun("csv_exports", tags=STARTED_BY_COMMAND, status=dg.DagsterRunStatus.STARTED)
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDS_THE_LOCK],
        env=clean_environment(refreshed_small.environment),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.readline()
    with environment(refreshed_small.environment):  # the daemon, which asks the launcher, has its settings from there
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


def test_a_run_that_hangs_outside_of_python_exits_and_prints_its_stack(tmp_path: Path) -> None:
    limit = shared.EXIT_BEFORE_LIMIT_SECONDS + 2
    (tmp_path / "dagster.yaml").write_text(f"run_monitoring: {{enabled: true, max_runtime_seconds: {limit}}}\n")
    (tmp_path / "hanging.py").write_text(_HANGS)
    process = subprocess.run(
        [sys.executable, tmp_path / "hanging.py"],
        env=clean_environment({"DAGSTER_HOME": str(tmp_path)}),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == 1
    assert "Timeout" in process.stderr
    assert "in sleeping_with_the_interpreter_locked" in process.stderr


_HANGS = """
import ctypes
import dagster as dg
from orchestration.dagster_instance import ProjectInstance
from orchestration.defs import shared

@dg.op
def sleeping_with_the_interpreter_locked():
    ctypes.PyDLL(None).sleep(600)

@dg.job(executor_def=shared.in_process)
def hanging():
    sleeping_with_the_interpreter_locked()

if __name__ == "__main__":
    dg.execute_job(dg.reconstructable(hanging), dg.DagsterInstance.get())
"""
