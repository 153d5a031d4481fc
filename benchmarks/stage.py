"""One stage of a refresh, or of the baseline, in a process of its own: `python -m benchmarks.stage <name> <report>`.

The warehouse is that of the settings in the environment. What the stage itself took, imports before it left out, is
written to the file `<report>` as JSON, for `measure`.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

BASELINE_FOLDER = "baseline"


def _refresh_stage(name: str) -> Callable[[], dict]:
    """A stage as the refresh runs it, imported and ready."""
    from models.enums import Log
    from orchestration import stages
    from warehouse.config.settings import load_settings
    from warehouse.export import REPORTS

    warehouse = stages.AppContext.of(load_settings())

    def admission() -> dict:
        loaded = [file for log in Log for file in stages.load_changed(warehouse, log)]
        return {
            "accepted": sum(file.accepted for file in loaded),
            "rejected": sum(file.rejected for file in loaded),
            "sends": sum(file.accepted for file in loaded if file.log == Log.SENDS),
        }

    def build(full_refresh: bool = False) -> dict:
        _, nodes = stages.build_candidate(warehouse, full_refresh=full_refresh)
        return {"models": {node.name: node.seconds for node in nodes}}

    def dbt_tests() -> dict:
        results = stages.test_candidate(warehouse).values()
        return {"failed": [result.name for result in results if not result.passed]}

    def audit() -> dict:
        return {"failed": [result.name for result in stages.audit_candidate(warehouse) if not result.passed]}

    def publish() -> dict:
        gate_result = stages.evaluate_gate(warehouse)
        if not gate_result.may_publish:
            raise RuntimeError("held back: " + "; ".join(str(problem) for problem in gate_result.blocking_problems))
        stages.publish_candidate(warehouse, warehouse.ledger.candidate())
        return {}

    def export() -> dict:
        return {"rows": sum(getattr(told, "rows", 0) for told in stages.export_reports(warehouse, REPORTS))}

    return {
        "admission": admission,
        "build": build,
        "rebuild": lambda: build(full_refresh=True),
        "dbt tests": dbt_tests,
        "audit": audit,
        "publish": publish,
        "export": export,
    }[name]


def _baseline_stage(name: str) -> Callable[[], dict]:
    """A stage of the hand-written script."""
    from benchmarks import baseline
    from warehouse.config.settings import load_settings

    settings = load_settings()
    folder = settings.data / BASELINE_FOLDER
    return {
        "baseline admission": lambda: baseline.admit(settings, settings.landing, folder),
        "baseline build": lambda: baseline.build(settings, folder) or {},
        "baseline night": lambda: baseline.night(settings, folder) or {},
    }[name]


def _peak_bytes() -> int:
    """The most memory that this process ever held: getrusage would count what its parent held when it began."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _cpu_seconds() -> float:
    """Of this process, those it waited for, and those that still run: Spark's."""
    running = (child.cpu_times() for child in psutil.Process().children(recursive=True))
    return sum(os.times()[:4]) + sum(times.user + times.system for times in running)


def run(name: str, report: Path) -> None:
    """Runs a stage and writes down what it took."""
    stage = _baseline_stage(name) if name.startswith("baseline") else _refresh_stage(name)
    started, before = time.perf_counter(), _cpu_seconds()
    figures = stage()
    taken = {
        "wall": time.perf_counter() - started,
        "cpu": _cpu_seconds() - before,
        "peak": _peak_bytes(),
        "figures": figures,
    }
    report.write_text(json.dumps(taken))


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]))
