"""A clock that is set back and forth, across publications, exports and pruning.

The clock is moved in this process, and once more by libfaketime for processes of their own.

Not here: the schedules when clocks change for summer time (`tests.pipeline.test_schedules`).
"""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.enums import Log
from orchestration import stages
from orchestration.stages import AppContext
from tests.fault.killing import OLD_EXPORT, refresh
from tests.fault.zones import NEW_IN, Outcome, Zone, assert_same, marts_of, outcome
from tests.oracle.compare import differences, read_mart
from tests.running import CASES, clean_environment, environment_of, mart_rows
from warehouse.config.settings import PROJECT
from warehouse.export import REPORTS, exports
from warehouse.ledger import Refresh, store
from warehouse.publish.kept_builds import KeptBuilds
from warehouse.storage import file_stat


class Clock:
    """The clock of this process, some days ahead of the real one or behind it."""

    days = 0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=self.days)

    def time_ns(self) -> int:
        return int(self.now().timestamp() * 1e9)

    def record_refresh(self, context: AppContext, message: str = "") -> None:
        context.ledger.record_run(Refresh(self.now(), self.now(), "published", message))


@pytest.fixture
def clock(zone: Zone, published: Outcome, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replaces the clock wherever it is looked at."""
    clock, real = Clock(), store.now
    modules = [module for module in list(sys.modules.values()) if getattr(module, "__dict__", {}).get("now") is real]
    assert len(modules) > 10, "every module that asks for the time"
    for module in modules:
        monkeypatch.setattr(module, "now", clock.now)
    monkeypatch.setattr(file_stat, "time", clock)
    zone.restore("published")
    return clock


def _export_names(context: AppContext) -> dict[str, list[str]]:
    """The CSV exports of each report in the order in which programs read them."""
    folders = {report: context.paths.exports / report for report in REPORTS}
    return {report: sorted(file.name for file in folder.glob("*.csv")) for report, folder in folders.items()}


def test_a_clock_that_jumps_changes_no_figure_and_no_order_of_builds_and_exports(
    zone: Zone, final: Outcome, clock: Clock
) -> None:
    older = {path: zone.first[path] for log in Log if log != NEW_IN for path in zone.altered[log]}
    zone.drop_altered([NEW_IN])
    context = zone.warehouse()
    refresh(context)
    clock.record_refresh(context)
    outcomes = {"older": outcome(context), "altered": final}
    for days, name in ((400, "altered"), (-800, "older")):
        publications, names_before = context.ledger.publications(), _export_names(context)
        if name == "older":
            zone.drop(older)
        else:
            zone.drop_altered()
        clock.days = days
        refresh(context)
        clock.record_refresh(context)
        assert_same(context, outcomes[name])
        assert len(context.ledger.publications()) == len(publications) + 1
        kept_builds = KeptBuilds(context.paths.kept_builds, context.ledger)
        assert kept_builds.previous() == publications[-1].build_id, "the build before by number, not by time"
        for report, names in _export_names(context).items():
            assert names[: len(names_before[report])] == names_before[report], "none is pruned, new ones come last"

    stages.rollback_build(context)
    assert marts_of(context.paths.published_marts) == outcomes["altered"]["marts"]


def test_a_clock_that_jumps_prunes_only_old_exports(zone: Zone, clock: Clock) -> None:
    context = zone.warehouse()
    folder = context.paths.exports / "campaign_metrics"
    new, old = set(folder.iterdir()), folder / OLD_EXPORT
    for days, is_pruned in ((0, True), (400, False), (0, True), (-800, True), (0, False), (0, True)):
        old.write_text("old")
        clock.days = days
        stages.prune_exports(context)
        clock.record_refresh(context)
        assert old.exists() != is_pruned, f"{days} days ahead"
        assert new <= set(folder.iterdir())


def test_the_last_refresh_is_the_one_that_was_recorded_last(zone: Zone, clock: Clock) -> None:
    context = zone.warehouse()
    for clock.days in (400, -1, 0):
        clock.record_refresh(context, f"{clock.days} days ahead")
        assert context.ledger.last_refresh().message == f"{clock.days} days ahead"


LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
"""Where Debian's package `libfaketime` puts it."""

# Without Dagster: its captured output goes through `tail`, which does not end under libfaketime.
REFRESH = """
from orchestration.stages import AppContext
from tests.fault.killing import refresh
from warehouse.config.settings import load_settings
from warehouse.ledger import Refresh, now
context, started_at = AppContext.of(load_settings()), now()
refresh(context)
context.ledger.record_run(Refresh(started_at, now(), "published", ""))
"""


@pytest.mark.torture
@pytest.mark.skipif(
    LIBRARY is None, reason="NOT TESTED: libfaketime is not installed; on Debian: apt-get install faketime"
)
def test_processes_whose_clock_is_set_back_and_forth_end_with_the_right_figures(tmp_path: Path) -> None:
    case, landing, data = CASES / "small", tmp_path / "landing", tmp_path / "data"
    shutil.copytree(case / "landing", landing)
    changed = max((landing / Log.SENDS).rglob("*.*"), key=lambda file: file.stat().st_size)
    content, builds = changed.read_bytes(), []
    for days in (0, 400, -3, 1, -500):
        changed.write_bytes(content if len(builds) % 2 == 0 else b"")
        variables = environment_of(data, landing, max_rejected_share="1") | {
            "LD_PRELOAD": str(LIBRARY), "FAKETIME": f"{days:+}d", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
        }  # fmt: skip
        run = subprocess.run(
            [sys.executable, "-c", REFRESH],
            env=clean_environment(variables), cwd=PROJECT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stdout + run.stderr
        build_id = json.loads((data / "published" / "current.json").read_text())["build_id"]
        assert build_id[:8] == f"{datetime.now(UTC) + timedelta(days=days):%Y%m%d}", "the clock was moved"
        assert build_id not in builds
        builds.append(build_id)
        for report in ("campaign_metrics", "campaign_overview"):
            last = max((data / "exports" / report).glob("*.csv"))
            assert exports.read_description(last).build_id == build_id, "the last by name is the last by build"
            assert len(list(last.parent.glob("*.csv"))) == len(builds), "none is pruned"
    for file in (case / "marts").glob("*.csv"):
        if file.stem not in ("rejected_rows", "key_conflicts"):
            assert differences(read_mart(file), mart_rows(data / "published" / "sendmart.duckdb", file.stem)) == []
