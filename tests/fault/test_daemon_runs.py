"""Runs that are started by Dagster's daemon and a code server, as on a server: a run waits for another, is killed, hangs, or
loses its code server.

The instance is `dagster.yaml` with shorter limits. Pool and executor are Sendmart's. The job only waits.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest
import yaml

from orchestration.defs.shared import EXIT_BEFORE_LIMIT_SECONDS
from tests.running import SENDMART, clean_environment
from warehouse.config.settings import PROJECT

pytestmark = pytest.mark.torture

TIMEOUT_SECONDS = 300
LIMIT_SECONDS = EXIT_BEFORE_LIMIT_SECONDS + 30

_WAITING = """
import ctypes, os, pathlib, time
import dagster as dg
from orchestration.defs.shared import POOL, in_process

@dg.op(pool=POOL)
def wait(context):
    pathlib.Path("runs", context.run_id).write_text(str(os.getpid()))
    while not pathlib.Path("go").exists():
        time.sleep(0.2)
        if pathlib.Path("hang").exists():
            pathlib.Path("hang").unlink()
            ctypes.PyDLL(None).sleep(3600)  # holds the interpreter: no other Python code runs

@dg.job(executor_def=in_process)
def waiting():
    wait()

defs = dg.Definitions(jobs=[waiting])
"""


@dataclass
class Server:
    """Daemon and code server as processes, and their instance."""

    folder: Path
    port: int
    environment: dict[str, str]
    instance: dg.DagsterInstance
    processes: dict[str, subprocess.Popen] = field(default_factory=dict)

    def start(self, name: str, *command: str) -> None:
        log = (self.folder / f"{name}.log").open("a")
        self.processes[name] = subprocess.Popen(
            [SENDMART.parent / command[0], *command[1:]],
            **{"env": self.environment, "cwd": self.folder, "stdout": log, "stderr": log},
        )

    def start_code_server(self) -> None:
        self.start(
            "code", *f"dagster api grpc --port {self.port} --python-file waiting.py --location-name waiting".split()
        )
        check = [SENDMART.parent / "dagster", "api", "grpc-health-check", "--port", str(self.port)]
        _until(lambda: subprocess.run(check, env=self.environment, capture_output=True).returncode == 0)

    def launch(self) -> str:
        before = {run.run_id for run in self.instance.get_runs()}
        command = "job launch --workspace workspace.yaml --location waiting --job waiting"
        subprocess.run(
            [SENDMART.parent / "dagster", *command.split()],
            **{"env": self.environment, "cwd": self.folder, "check": True, "capture_output": True},
        )
        (launched,) = {run.run_id for run in self.instance.get_runs()} - before
        return launched

    def status(self, run_id: str) -> str:
        return self.instance.get_run_by_id(run_id).status.name

    def process_of(self, run_id: str) -> int:
        """Waits until a run is running; returns the id of its process."""
        pid_file = self.folder / "runs" / run_id
        _until(lambda: pid_file.exists() and pid_file.read_text())
        return int(pid_file.read_text())

    def retry_of(self, run_id: str) -> str:
        """Waits until a run is failed and started again; returns the id of the new run."""
        _until(lambda: self.status(run_id) == "FAILURE")
        retries = dg.RunsFilter(tags={"dagster/parent_run_id": run_id})
        _until(lambda: self.instance.get_runs(retries))
        (retry,) = self.instance.get_runs(retries)
        return retry.run_id

    def release(self) -> None:
        (self.folder / "go").touch()

    def hold(self) -> None:
        (self.folder / "go").unlink()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "runs").mkdir()
    (tmp_path / "waiting.py").write_text(_WAITING)
    limits = {"poll_interval_seconds": 3, "start_timeout_seconds": 120, "max_runtime_seconds": LIMIT_SECONDS}
    config = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    config["run_monitoring"] |= limits
    config["run_queue"]["user_code_failure_retry_delay"] = 3
    (home / "dagster.yaml").write_text(yaml.safe_dump(config))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    location = {"host": "127.0.0.1", "port": port, "location_name": "waiting"}
    (tmp_path / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [{"grpc_server": location}]}))
    environment = clean_environment({"DAGSTER_HOME": str(home), "SENDMART_DATA": str(tmp_path / "data")})
    with dg.DagsterInstance.from_config(str(home)) as instance:
        server = Server(tmp_path, port, environment, instance)
        try:
            server.start_code_server()
            server.start("daemon", "dagster-daemon", "run", "--workspace", "workspace.yaml")
            yield server
        finally:
            for pid_file in (tmp_path / "runs").iterdir():
                _kill(int(pid_file.read_text() or 0))
            for process in server.processes.values():
                process.kill()
                process.wait()


def test_a_second_run_waits_in_the_queue(server: Server) -> None:
    server.release()
    # Dagster learns the limit of a pool from the first run that it takes from the queue.
    earlier = server.launch()
    _until(lambda: server.status(earlier) == "SUCCESS")
    server.hold()
    first, second = server.launch(), server.launch()
    server.process_of(first)
    message = f"{second} is blocked by global concurrency limits"
    _until(lambda: message in (server.folder / "daemon.log").read_text())
    assert (server.status(first), server.status(second)) == ("STARTED", "QUEUED")
    server.release()
    _until(lambda: server.status(second) == "SUCCESS")
    assert server.status(first) == "SUCCESS"


def test_a_killed_run_is_marked_failed_and_retried_once(server: Server) -> None:
    run = server.launch()
    os.kill(server.process_of(run), signal.SIGKILL)
    retry = server.retry_of(run)
    os.kill(server.process_of(retry), signal.SIGKILL)
    _until(lambda: server.status(retry) == "FAILURE")
    other = server.launch()
    server.release()
    _until(lambda: server.status(other) == "SUCCESS")
    assert len(server.instance.get_runs()) == 3, "two failed runs, which hold no slot"


def test_a_hanging_run_is_ended_at_its_time_limit_and_retried_once(server: Server) -> None:
    run = server.launch()
    server.process_of(run)
    hang = server.folder / "hang"
    hang.touch()
    _until(lambda: not hang.exists())
    server.release()
    retry = server.retry_of(run)
    _until(lambda: server.status(retry) == "SUCCESS")


def test_a_run_lost_with_its_machine_is_marked_failed_and_retried_once(server: Server) -> None:
    run = server.launch()
    process = server.process_of(run)
    server.processes["code"].kill()
    os.kill(process, signal.SIGKILL)
    server.processes["code"].wait()
    server.release()
    server.start_code_server()
    retry = server.retry_of(run)
    _until(lambda: server.status(retry) == "SUCCESS")


def test_two_daemons_say_so_and_start_each_run_once(server: Server) -> None:
    server.start("second", "dagster-daemon", "run", "--workspace", "workspace.yaml")
    for log in ("daemon.log", "second.log"):
        _until(lambda log=log: "daemon is still sending heartbeats" in (server.folder / log).read_text())
    server.release()
    runs = [server.launch() for _ in range(3)]
    _until(lambda: {server.status(run) for run in runs} == {"SUCCESS"})
    assert {run.run_id for run in server.instance.get_runs()} == set(runs)
    for run in runs:
        started = server.instance.all_logs(run, of_type=dg.DagsterEventType.RUN_START)
        assert len(started) == 1
    assert {server.processes[name].poll() for name in ("daemon", "second")} == {None}


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not so within {TIMEOUT_SECONDS} s"
        time.sleep(0.5)


def _kill(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
