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
    process, stage = measure_stage_process(name, environment)
    return Cost(stage.wall, stage.cpu, max(stage.peak, process.peak), stage.figures)


def measure_stage_process(name: str, environment: dict[str, str]) -> tuple[Cost, Cost]:
    """The same; returns the cost of the whole process, and that of the stage."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "cost.json"
        process = measure([sys.executable, "-m", "benchmarks.stage", name, str(report)], environment)
        return process, Cost(**json.loads(report.read_text()))


def measure(command: list[str], environment: dict[str, str], cwd: Path = PROJECT) -> Cost:
    """Runs a command in a folder; the environment has none of the caller's settings.

    Raises:
        StageFailed: the command failed.
    """
    return record(command, environment, cwd).cost


@dataclass(frozen=True)
class Sample:
    """A process tree at a moment: seconds since its start, CPU seconds until then, resident bytes."""

    at: float
    cpu: float
    resident: int


@dataclass(frozen=True)
class Recording:
    """A process from start to end: its cost, the lines of its output by the second in which they came, and samples of it."""

    cost: Cost
    lines: list[tuple[float, str]]
    samples: list[Sample]

    def part(self, start: float, end: float) -> Cost:
        """The cost between two moments, in seconds since the start."""
        samples = [sample for sample in self.samples if start <= sample.at <= end]
        return Cost(end - start, self._cpu_until(end) - self._cpu_until(start), _peak(samples))

    def _cpu_until(self, moment: float) -> float:
        before = Sample(0, 0, 0)
        for sample in self.samples:
            if sample.at >= moment:
                share = (moment - before.at) / (sample.at - before.at)
                return before.cpu + share * (sample.cpu - before.cpu)
            before = sample
        return self.cost.cpu


def record(command: list[str], environment: dict[str, str], cwd: Path = PROJECT) -> Recording:
    """Runs a command as `measure` does, and keeps its output and samples of it.

    Raises:
        StageFailed: the command failed.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    # Hypothesis, which pandera imports where it is installed, is there for tests: its plugins take 6 % of a small refresh.
    inherited["HYPOTHESIS_NO_PLUGINS"] = "1"
    busy_before, started = _busy_seconds(), time.perf_counter()
    process = subprocess.Popen(
        command, cwd=cwd, env=inherited | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    samples, output = _Sampler(process.pid, started), _Output(process, started)
    _, status, usage = os.wait4(process.pid, 0)
    wall, cpu = time.perf_counter() - started, usage.ru_utime + usage.ru_stime
    process.returncode = os.waitstatus_to_exitcode(status)
    taken, lines = samples.stop(), output.lines()
    if process.returncode != 0:
        end = "\n".join(line for _, line in lines)[-4000:]
        raise StageFailed(f"{' '.join(command)}\n{end}")
    by_others = max(_busy_seconds() - busy_before - cpu, 0)
    return Recording(Cost(wall, cpu, _peak(taken), {"cpu_of_others": by_others}), lines, [*taken, Sample(wall, cpu, 0)])


def _peak(samples: list[Sample]) -> int:
    """The most memory in two samples in a row: at a fork, the memory of the parent counts twice for a moment."""
    resident = [sample.resident for sample in samples]
    return max(map(min, resident, resident[1:]), default=max(resident, default=0))


def _busy_seconds() -> float:
    """CPU seconds of all processes of this machine since its start."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


class _Output:
    """Reads the output of a process in a thread, so that each line has its time."""

    def __init__(self, process: "subprocess.Popen[str]", started: float) -> None:
        self._process, self._started = process, started
        self._lines: list[tuple[float, str]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def lines(self) -> list[tuple[float, str]]:
        """The lines until the end of the output. A process that outlives its parent may keep the output open."""
        self._thread.join(timeout=2)
        return self._lines

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append((time.perf_counter() - self._started, line.rstrip("\n")))


class _Sampler:
    """Samples the CPU time and the memory of a process and its descendants in a thread, until it is stopped."""

    def __init__(self, pid: int, started: float) -> None:
        self._pid, self._started = pid, started
        self._samples: list[Sample] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> list[Sample]:
        self._ended.set()
        self._thread.join()
        return self._samples

    def _sample(self) -> None:
        cpu = 0.0
        while not self._ended.wait(SAMPLE_EVERY_SECONDS):
            try:
                root = psutil.Process(self._pid)
                measured = [_cpu_and_memory(process) for process in [root, *root.children(recursive=True)]]
            except psutil.NoSuchProcess:
                return
            # A process that ends between two readings is in neither: CPU time never falls.
            cpu = max(cpu, sum(seconds for seconds, _ in measured))
            at = time.perf_counter() - self._started
            self._samples.append(Sample(at, cpu, sum(resident for _, resident in measured)))


def _cpu_and_memory(process: psutil.Process) -> tuple[float, int]:
    """The CPU seconds of a process and of the children that it waited for, and its resident bytes."""
    try:
        with process.oneshot():
            times = process.cpu_times()
            seconds = times.user + times.system + times.children_user + times.children_system
            return seconds, process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0, 0
