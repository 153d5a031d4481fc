"""Measuring a process from outside: time, processor time and memory of it and all that it starts.

Not here: what is run (`stage`), what is made of the figures (`harness`).
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from warehouse.config.settings import PREFIX, PROJECT

SAMPLE_EVERY_SECONDS = 0.05


class StageFailed(Exception):
    """What was to be measured did not work."""


@dataclass(frozen=True)
class Taken:
    """What something took: seconds, processor seconds (user and system), bytes of memory at the most."""

    wall: float
    cpu: float
    peak: int
    figures: dict[str, Any] = field(default_factory=dict)

    def without(self, fixed: "Taken") -> "Taken":
        """What is left when a fixed cost is taken off; memory stays as it is."""
        return Taken(max(self.wall - fixed.wall, 0), max(self.cpu - fixed.cpu, 0), self.peak, self.figures)


def measure_stage(name: str, environment: dict[str, str]) -> Taken:
    """Runs a stage in a process of its own; time is the stage's alone, memory that of the whole process tree."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "taken.json"
        process = measure([sys.executable, "-m", "benchmarks.stage", name, str(report)], environment)
        taken = json.loads(report.read_text())
        return Taken(taken["wall"], taken["cpu"], max(taken["peak"], process.peak), taken["figures"])


def measure(command: list[str], environment: dict[str, str], cwd: Path = PROJECT) -> Taken:
    """Runs a command to its end, in the project's folder or another.

    Raises:
        StageFailed: it did not end well; with the last it said.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, env=inherited | environment, stdout=said, stderr=subprocess.STDOUT)
        memory = _Memory(process.pid)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        peak = memory.stop()
        if process.returncode != 0:
            said.seek(0)
            raise StageFailed(f"{' '.join(command)}\n{said.read().decode(errors='replace')[-4000:]}")
        return Taken(wall, used.ru_utime + used.ru_stime, peak)


class _Memory:
    """Looks again and again at the memory of a process and all its descendants, until it is told to stop."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._ended.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_EVERY_SECONDS):
            try:
                root = psutil.Process(self._pid)
                self._peak = max(self._peak, sum(map(_resident, [root, *root.children(recursive=True)])))
            except psutil.NoSuchProcess:
                return


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0
