"""An incremental build gives, row for row, what a full one would: however the logs arrive, and wherever it is killed.

Landing zones are small but nasty (`tests/oracle`). They arrive in any number of refreshes, in any order of files, with
files that are cut short, emptied and made whole again; then the lake is built in full, and every mart must be the same.
Everything runs through admission and dbt's runner in this process; only what is killed is a process of its own.
"""

import csv
import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

from models.enums import Log
from orchestration import stages
from orchestration.stages import AppContext
from tests.examples import tried
from tests.oracle.landing_zones import write_landing_zone
from tests.running import all_marts, beside_the_marts, environment, environment_of, mart_rows
from warehouse.config.settings import load_settings
from warehouse.transform import dbt_runner

# Examples take seconds, and a smaller seed is no simpler zone: nothing is gained by shrinking.
SLOW = {"phases": [Phase.explicit, Phase.generate], "suppress_health_check": list(HealthCheck)}
TEXT_FILES = (".csv", ".jsonl")
NIGHTS = 2


class Zone:
    """A landing zone that fills bit by bit, and the warehouse that takes it."""

    def __init__(self, folder: Path) -> None:
        self.all, self.landing, self.data = folder / "all", folder / "landing", folder / "data"

    def begin(self, seed: int, **shape: int) -> list[Path]:
        """Starts anew with another zone; gives the files that are to come, in any order."""
        # dbt's folder stays: it parses a project again wherever its paths differ.
        for kept_from_before in ("lake", "quarantine", "published", "changes"):
            shutil.rmtree(self.data / kept_from_before, ignore_errors=True)
        (self.data / "ledger.sqlite").unlink(missing_ok=True)
        for folder in (self.all, self.landing):
            shutil.rmtree(folder, ignore_errors=True)
        self.landing.mkdir(parents=True)
        write_landing_zone(self.all, seed, **{"stories": 50, **shape}, refused=True, fault_share=0.05)
        files = sorted(file.relative_to(self.all) for file in self.all.rglob("*") if file.is_file())
        random.Random(seed).shuffle(files)
        return files

    def drop(self, file: Path, share: float = 1.0) -> None:
        """Drops a file, or only the first lines of it."""
        content = (self.all / file).read_bytes()
        if share < 1 and file.suffix in TEXT_FILES:
            lines = content.splitlines(keepends=True)
            content = b"".join(lines[: int(len(lines) * share)])
        path = self.landing / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def warehouse(self) -> AppContext:
        return AppContext.of(load_settings())

    def load(self) -> None:
        for log in Log:
            stages.load_changed(self.warehouse(), log)

    def built(self) -> AppContext:
        warehouse = self.warehouse()
        stages.build_candidate(warehouse)
        return warehouse

    def build(self, *, full_refresh: bool = False) -> dict[str, Counter]:
        """Builds, and returns the rows of every mart and of the row digests."""
        stages.build_candidate(self.warehouse(), full_refresh=full_refresh)
        return self.rows()

    def rows(self) -> dict[str, Counter]:
        """The rows of every mart and of the row digests."""
        warehouse = self.warehouse()
        marts = all_marts(warehouse.paths.candidate) | beside_the_marts(warehouse.paths.candidate)
        return {mart: Counter(repr(sorted(row.items())) for row in rows) for mart, rows in marts.items()}


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zone]:
    zone = Zone(tmp_path_factory.mktemp("incremental"))
    project = tmp_path_factory.mktemp("project") / "dbt_project"
    shutil.copytree(dbt_runner.DBT_PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    _shorten_what_is_recent(project / "macros" / "incremental.sql")
    with environment(environment_of(zone.data, zone.landing)), pytest.MonkeyPatch.context() as patch:
        patch.setattr(dbt_runner, "DBT_PROJECT", project)
        yield zone


def _shorten_what_is_recent(macros: Path) -> None:
    """To half a day: all that happens in a zone happens in less than a month, and nothing would be looked for before it."""
    code = macros.read_text(encoding="utf-8")
    assert code.count('dateadd("day", -30,') == 1
    macros.write_text(code.replace('dateadd("day", -30,', 'dateadd("hour", -12,'), encoding="utf-8")


KILLED_AFTER = ("messages_this_run", "int_messages_resolved", "int_orders_deduplicated", "delivery_status", "campaigns")
"""The models after which a build is killed, so that some of the later models are built and others are not."""


@tried(1, torture=20, **SLOW)
@given(
    seed=st.integers(1, 10_000),
    refreshes=st.integers(2, 3),
    model=st.sampled_from(KILLED_AFTER),
    draw=st.randoms(use_true_random=False),
)
def test_any_number_of_refreshes_equals_a_full_build(
    zone: Zone, seed: int, refreshes: int, model: str, draw: random.Random
) -> None:
    """Refreshes of many files in any order, of which the second is killed after a model and repeated with more files; then
    nights of single rows. What is touched by itself, without all that is near it, shows a night that forgets the rest of a
    group.
    """
    files = zone.begin(seed, stories=80, crumbs=40)
    crumbs = [file for file in files if file.name.startswith("crumb-")]
    large = [file for file in files if file not in crumbs]
    for refresh in range(refreshes):
        for file in large[refresh::refreshes]:
            zone.drop(file, draw.choice([1, 1, 1, 0.5]))
        if refresh == 1:
            zone.load()
            _build_and_be_killed_after(zone, model)
            assert zone.warehouse().ledger.candidate() is None, "half a build is none"
        for file in large:
            if (zone.landing / file).exists() and draw.random() < 0.25:
                zone.drop(file, draw.choice([1, 1, 0.7, 0]))
        zone.load()
        zone.built()
    for night in range(NIGHTS):
        for file in crumbs[night::NIGHTS]:
            zone.drop(file)
        zone.load()
        zone.built()
    incremental = zone.rows()
    assert zone.build(full_refresh=True) == incremental


def _build_and_be_killed_after(zone: Zone, model: str) -> None:
    child = os.fork()
    if child == 0:
        dbt_runner._progress = lambda: _kill_after(model)
        try:
            stages.build_candidate(zone.warehouse())
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, f"the build ended without {model}"


def _kill_after(model: str) -> Callable[[Any], None]:
    def watch(event: Any) -> None:
        if event.info.name == "LogModelResult" and event.data.node_info.node_name == model:
            os.kill(os.getpid(), signal.SIGKILL)

    return watch


def test_a_changed_setting_vocabulary_or_model_rebuilds_the_models_downstream(
    zone: Zone, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """First a setting; then a vocabulary and a model in one build, with new files. Each of the two has marts downstream that
    the other has not.
    """
    files = zone.begin(78)
    for file in files[::2]:
        zone.drop(file)
    zone.load()
    before = zone.build()
    with environment(environment_of(zone.data, zone.landing, conversion_window_hours="1")), caplog.at_level("INFO"):
        after = zone.build()
        assert "changed: setting conversion_window_hours" in caplog.text
        assert after != before
        assert after["delivery_status"] == before["delivery_status"]
        assert zone.build(full_refresh=True) == after

    project = tmp_path / "dbt_project"
    shutil.copytree(dbt_runner.DBT_PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    monkeypatch.setattr(dbt_runner, "DBT_PROJECT", project)
    unmapped = mart_rows(zone.warehouse().paths.candidate, "unmapped_receipts")
    receipt = next(row for row in unmapped if row["error_code"] is None)
    with (project / "seeds" / "provider_vocabularies.csv").open("a", encoding="utf-8", newline="") as vocabulary:
        csv.writer(vocabulary, lineterminator="\n").writerow(
            [receipt["provider"], receipt["provider_status"], "", "hard_bounce"]
        )
    with (project / "models" / "intermediate" / "int_orders_attributed.sql").open("a", encoding="utf-8") as model:
        model.write("where recency = 1\n")
    for file in files[1::2]:
        zone.drop(file)
    zone.load()
    caplog.clear()
    with caplog.at_level("INFO"):
        after = zone.build()
    assert "changed: int_orders_attributed, provider_vocabularies, setting conversion_window_hours;" in caplog.text
    still_unmapped = mart_rows(zone.warehouse().paths.candidate, "unmapped_receipts")
    added = (receipt["provider"], receipt["provider_status"])
    assert added not in {(row["provider"], row["provider_status"]) for row in still_unmapped}
    orders = mart_rows(zone.warehouse().paths.candidate, "attributed_orders")
    assert {row["attribution"] for row in orders} == {"direct"}, "the model leaves out assisting clicks"
    assert zone.build(full_refresh=True) == after
