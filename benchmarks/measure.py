"""Measures a process from outside: wall time, CPU time, and the memory of it and everything that it starts.

Not here: the measured steps (`stage`), the tables of results (`harness`, `report`).
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from warehouse.config import PROJECT
from warehouse.config.settings import PREFIX

SAMPLE_EVERY_SECONDS = 0.05

Variant = TypeVar("Variant")


class StageFailed(Exception):
    """A measured process failed; the message has the end of its output."""


@dataclass(frozen=True)
class Cost:
    """The cost of a process: wall seconds, CPU seconds (user and system), peak memory in bytes, and its own figures."""

    wall: float
    cpu: float
    peak: int
    figures: dict[str, Any] = field(default_factory=dict)

    def without(self, fixed: "Cost") -> "Cost":
        """This cost less a fixed cost; the memory stays as it is."""
        return Cost(max(self.wall - fixed.wall, 0), max(self.cpu - fixed.cpu, 0), self.peak, self.figures)

    def __str__(self) -> str:
        return f"{self.wall:.1f} s, {self.cpu:.1f} CPU s, {self.peak / 1e6:,.0f} MB"


def total(costs: Iterable[Cost]) -> Cost:
    """The cost of processes that run one after another."""
    parts = list(costs)
    return Cost(sum(part.wall for part in parts), sum(part.cpu for part in parts), max(part.peak for part in parts))


def cheapest(costs: Iterable[Cost]) -> Cost:
    """The cost with the least CPU time: the one on which other work on the machine had the least influence."""
    return min(costs, key=lambda cost: cost.cpu)


def settings_variables(landing: Path, data: Path, **settings: object) -> dict[str, str]:
    """The environment of a measured process: its landing zone, its data folder, and settings in lower case."""
    values = {"landing": landing, "data": data, **settings}
    return {f"{PREFIX}{name.upper()}": str(value) for name, value in values.items()}


def measure_in_turn(
    rounds: int, variants: tuple[Variant, Variant], run: Callable[[Variant], Cost]
) -> dict[Variant, list[Cost]]:
    """Measures two variants in turn, each first in every other round, so that other work falls on both."""
    costs: dict[Variant, list[Cost]] = {variant: [] for variant in variants}
    for number in range(rounds):
        for variant in variants if number % 2 == 0 else variants[::-1]:
            costs[variant].append(run(variant))
    return costs


def measure_stage(name: str, environment: dict[str, str]) -> Cost:
    """Runs a stage in a process of its own. Its imports do not count as time, but as memory.

    Raises:
        StageFailed: the stage did not work.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "cost.json"
        process = measure([sys.executable, "-m", "benchmarks.stage", name, str(report)], environment)
        cost = Cost(**json.loads(report.read_text()))
        return Cost(cost.wall, cost.cpu, max(cost.peak, process.peak), cost.figures)


def measure(command: list[str], environment: dict[str, str], cwd: Path = PROJECT) -> Cost:
    """Runs a command in a folder; the environment has none of the caller's settings.

    Raises:
        StageFailed: the command failed.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env=inherited | environment, stdout=output, stderr=subprocess.STDOUT
        )
        memory = _PeakMemory(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        peak = memory.stop()
        if process.returncode != 0:
            output.seek(0)
            raise StageFailed(f"{' '.join(command)}\n{output.read().decode(errors='replace')[-4000:]}")
        return Cost(wall, usage.ru_utime + usage.ru_stime, peak)


class _PeakMemory:
    """Samples the memory of a process and its descendants in a thread, until it is stopped."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """Ends the sampling and returns the peak in bytes."""
        self._ended.set()
        self._thread.join()
        return self._peak

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_EVERY_SECONDS):
            try:
                root = psutil.Process(self._pid)
                self._peak = max(self._peak, sum(map(_resident_bytes, [root, *root.children(recursive=True)])))
            except psutil.NoSuchProcess:
                return


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0
