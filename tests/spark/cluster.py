"""A Spark cluster of the tests' own: a master, two workers and a Thrift server, each a process on loopback.

All come from the installed `pyspark` package. Logs, metastore and tables lie in a folder of the test. The processes end when
the process that started them ends or is killed.

Not here: the queries (`test_*.py`).
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pyspark
from pyhive import hive
from thrift.transport.TTransport import TTransportException

LOOPBACK = "127.0.0.1"
SPARK_HOME = Path(pyspark.__file__).parent
WORKERS = 2
WORKER_MEMORY = "1536m"
EXECUTOR_MEMORY = "1g"
TIME_ZONE = "America/New_York"
"""The cluster's time zone is not UTC: the product must not depend on it."""

QUICK_JAVA = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
"""Options for a short run on two cores: a third less CPU than with Java's defaults."""

SECONDS_TO_START = 180
"""Enough for a busy machine. An idle one takes 15 seconds."""

LOG_LINES_SHOWN = 30


class ClusterDidNotStart(Exception):
    """A process of the cluster has ended, or does not answer; with the end of its log."""


@dataclass(frozen=True)
class Cluster:
    """Where a cluster is reached."""

    master: str
    """As Spark wants it: spark://host:port."""
    thrift: str
    """host:port, which SQL goes to."""
    folder: Path
    """Logs, metastore and tables."""

    @contextmanager
    def connect(self, configuration: dict[str, str] | None = None) -> Iterator[hive.Cursor]:
        """A session on the Thrift server, with this configuration of its own."""
        host, _, port = self.thrift.partition(":")
        # Without the prefix the server takes no notice of it.
        session_settings = {f"set:{name}": value for name, value in (configuration or {}).items()}
        with hive.connect(host, int(port), configuration=session_settings) as connection, connection.cursor() as cursor:
            yield cursor


@dataclass(frozen=True)
class _Process:
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def last_log_lines(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        return "\n".join([f"{self.log.name} ends with:", *lines])


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Starts a cluster, gives it once it answers a query, and stops it."""
    host_port, thrift_port = _free_ports(2)
    master = f"spark://{LOOPBACK}:{host_port}"
    with ExitStack() as stack:
        processes = [
            _start(
                stack,
                folder,
                "master",
                *("spark-class", "org.apache.spark.deploy.master.Master"),
                *("--host", LOOPBACK, "--port", str(host_port), "--webui-port", "0"),
            )
        ]
        _wait_until(processes, lambda: _listens(host_port))
        processes += [
            _start(
                stack,
                folder,
                f"worker-{number}",
                *("spark-class", "org.apache.spark.deploy.worker.Worker", master),
                *("--host", LOOPBACK, "--webui-port", "0", "--work-dir", str(folder / f"worker-{number}")),
                *("--cores", "1", "--memory", WORKER_MEMORY),
            )
            for number in range(1, WORKERS + 1)
        ]
        processes.append(_start(stack, folder, "thrift-server", *_thrift_server(folder, master, thrift_port)))
        running = Cluster(master, f"{LOOPBACK}:{thrift_port}", folder)
        _wait_until(processes, lambda: _listens(thrift_port) and _answers(running))
        yield running


def _thrift_server(folder: Path, master: str, port: int) -> list[str]:
    settings = {
        "spark.driver.host": LOOPBACK,
        "spark.driver.memory": "1g",
        "spark.executor.memory": EXECUTOR_MEMORY,
        "spark.sql.warehouse.dir": str(folder / "tables"),
        "spark.ui.enabled": "false",
        # No query begins on one worker because the other is still on its way.
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
        "spark.scheduler.maxRegisteredResourcesWaitingTime": f"{SECONDS_TO_START}s",
        # For some rows on two cores; the default is meant for a real cluster.
        "spark.sql.shuffle.partitions": "4",
    }
    return [
        *("spark-submit", "--master", master, "--class", "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"),
        *(word for name, value in settings.items() for word in ("--conf", f"{name}={value}")),
        "spark-internal",
        *("--hiveconf", f"hive.server2.thrift.bind.host={LOOPBACK}", "--hiveconf", f"hive.server2.thrift.port={port}"),
    ]


def _start(stack: ExitStack, folder: Path, name: str, program: str, *arguments: str) -> _Process:
    """Starts a program of Spark in the folder, where Derby puts its files; the stack stops it."""
    log = folder / f"{name}.log"
    variables = {
        **QUICK_JAVA,
        "TZ": TIME_ZONE,
        "SPARK_HOME": str(SPARK_HOME),
        "SPARK_LOCAL_IP": LOOPBACK,
        "SPARK_LOCAL_DIRS": str(folder / "scratch"),
        "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",  # on a fixed port
    }
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("SPARK_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", SPARK_HOME / "bin" / program, *arguments],
            cwd=folder,
            env={**inherited, **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    stack.callback(_stop, process)
    return _Process(process, log)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Kills a program with whatever it started: a worker's executors."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait_until(processes: list[_Process], holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while not holds():
        for process in processes:
            if process.ended:
                raise ClusterDidNotStart(process.last_log_lines())
        if time.monotonic() > deadline:
            raise ClusterDidNotStart("\n".join(process.last_log_lines() for process in processes))
        time.sleep(0.2)


def _listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex((LOOPBACK, port)) == 0


def _answers(running: Cluster) -> bool:
    try:
        with running.connect() as cursor:
            cursor.execute("select count(*) from range(2)")
            return cursor.fetchall() == [(2,)]
    except TTransportException:
        return False


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for free_socket in sockets:
            free_socket.bind((LOOPBACK, 0))
        return [free_socket.getsockname()[1] for free_socket in sockets]
