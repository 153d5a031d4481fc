"""One stage of a refresh or of the baseline, in a process of its own: `python -m benchmarks.stage NAME REPORT`.

The settings in the environment name the data folder. The cost of the stage, without the imports before it, is written to
REPORT as JSON, where `measure` reads it.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil

STAGES = ("admission", "build", "dbt tests", "audit", "publish", "export")
"""The stages of a refresh, in order."""

BASELINE_FOLDER = "baseline"


def _refresh_stage(name: str) -> Callable[[], dict[str, Any]]:
    """A stage as a refresh runs it, with its imports done."""
    from models.enums import Log
    from orchestration import stages
    from warehouse.config.settings import load_settings
    from warehouse.export import REPORTS

    context = stages.AppContext.of(load_settings())

    def admission() -> dict[str, Any]:
        with _cpu_of_calls(stages.quarantine, "update_key_conflicts") as key_conflicts:
            files = [file for log in Log for file in stages.load_changed(context, log)]
        return {
            "key_conflicts_cpu": sum(key_conflicts),
            "accepted": sum(file.accepted for file in files),
            "rejected": sum(file.rejected for file in files),
            "sends": sum(file.accepted for file in files if file.log == Log.SENDS),
        }

    def build(full_refresh: bool = False) -> dict[str, Any]:
        _, seconds = stages.build_candidate(context, full_refresh=full_refresh)
        return {"models": {name.rpartition(".")[2]: duration for name, duration in seconds.items()}}

    def dbt_tests() -> dict[str, Any]:
        return {"failed": [result.name for result in stages.test_candidate(context).values() if not result.passed]}

    def audit() -> dict[str, Any]:
        return {"failed": [result.name for result in stages.audit_candidate(context)[1] if not result.passed]}

    def publish() -> dict[str, Any]:
        gate_result = stages.evaluate_gate(context)
        candidate = context.ledger.candidate()
        if candidate is None or not gate_result.may_publish:
            raise RuntimeError("held back: " + "; ".join(str(problem) for problem in gate_result.blocking_problems))
        stages.publish_candidate(context, candidate)
        return {}

    def export() -> dict[str, Any]:
        return {"rows": sum(getattr(exported, "rows", 0) for exported in stages.export_reports(context, REPORTS))}

    return {
        "admission": admission,
        "build": build,
        "rebuild": lambda: build(full_refresh=True),
        "dbt tests": dbt_tests,
        "audit": audit,
        "publish": publish,
        "export": export,
    }[name]


@contextmanager
def _cpu_of_calls(module: ModuleType, function: str) -> Iterator[list[float]]:
    """The CPU seconds of each call of a function within this block."""
    original, seconds = getattr(module, function), list[float]()

    def measured(*arguments: Any, **keywords: Any) -> Any:
        started = _cpu_seconds()
        try:
            return original(*arguments, **keywords)
        finally:
            seconds.append(_cpu_seconds() - started)

    setattr(module, function, measured)
    try:
        yield seconds
    finally:
        setattr(module, function, original)


def _baseline_stage(name: str) -> Callable[[], dict[str, Any]]:
    """A stage of the hand-written baseline."""
    from benchmarks import baseline
    from warehouse.config.settings import load_settings

    settings = load_settings()
    folder = settings.data / BASELINE_FOLDER

    def admission() -> dict[str, Any]:
        assert isinstance(settings.landing, Path)
        return dict(baseline.admit(settings, settings.landing, folder))

    def build(insights: bool = False) -> dict[str, Any]:
        baseline.build(settings, folder, insights=insights)
        return {}

    def both() -> dict[str, Any]:
        return {
            stage: _costs_of(run)
            for stage, run in (("admission", admission), ("build", partial(build, insights=settings.insights)))
        }

    of_baseline: dict[str, Callable[[], dict[str, Any]]] = {
        "baseline admission": admission,
        "baseline build": build,
        "baseline build with insights": partial(build, insights=True),
        "baseline": both,
    }
    return of_baseline[name]


def _peak_bytes() -> int:
    """The peak memory of this process. `getrusage` would count the memory of its parent at the fork."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _cpu_seconds() -> float:
    """CPU time of this process, of the processes that it waited for, and of those that still run, such as Spark."""
    running = (child.cpu_times() for child in psutil.Process().children(recursive=True))
    return sum(os.times()[:4]) + sum(times.user + times.system for times in running)


def run(name: str, report: Path) -> None:
    """Runs a stage and writes its cost."""
    stage = _baseline_stage(name) if name.startswith("baseline") else _refresh_stage(name)
    report.write_text(json.dumps(_costs_of(stage)))


def _costs_of(stage: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Runs a stage; returns the fields of its `Cost`."""
    started, cpu_before = time.perf_counter(), _cpu_seconds()
    figures = stage()
    return {
        "wall": time.perf_counter() - started,
        "cpu": _cpu_seconds() - cpu_before,
        "peak": _peak_bytes(),
        "figures": figures,
    }


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]))
