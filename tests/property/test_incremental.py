"""An incremental build gives, row for row, what a full one would: however the logs arrive, and wherever it is killed.

Landing zones are small but nasty (`tests/oracle`). They arrive in any number of refreshes, in any order of files, with
files that are cut short, emptied and made whole again. Every mart must then be as the oracle has it, and the same after the
lake is built in full.
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
from tests.oracle.admission import read_landing
from tests.oracle.compare import differences
from tests.oracle.insights import compute_insights
from tests.oracle.landing_zones import write_landing_zone
from tests.oracle.marts import compute
from tests.oracle.rules import Settings as OracleSettings
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

    def begin(self, seed: int, **shape: int | bool) -> list[Path]:
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
        candidate = self.warehouse().paths.candidate
        tables = all_marts(candidate, insights=True) | beside_the_marts(candidate)
        return {table: Counter(map(_comparable, rows)) for table, rows in tables.items()}

    def differences_from_oracle(self, settings: OracleSettings) -> dict[str, list[str]]:
        """What is wrong in the marts, by the rows of the files that lie in the landing zone now."""
        rows = read_landing(self.landing).rows
        actual = all_marts(self.warehouse().paths.candidate, insights=True)
        worded = {"skip_reason_details"}
        expected = compute(rows, settings) | compute_insights(rows, settings)
        wrong = {
            mart: differences(of_mart, actual[mart], [name for name in (of_mart or [{}])[0] if name not in worded])
            for mart, of_mart in expected.items()
        }
        return {mart: messages for mart, messages in wrong.items() if messages}


def _comparable(row: dict[str, Any]) -> str:
    # Sums of doubles depend on their order.
    rounded = {name: f"{value:.9g}" if isinstance(value, float) else value for name, value in row.items()}
    return repr(sorted(rounded.items()))


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zone]:
    zone = Zone(tmp_path_factory.mktemp("incremental"))
    project = tmp_path_factory.mktemp("project") / "dbt_project"
    shutil.copytree(dbt_runner.DBT_PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    _shorten_what_is_recent(project / "macros" / "incremental.sql")
    with environment(environment_of(zone.data, zone.landing, insights="true")), pytest.MonkeyPatch.context() as patch:
        patch.setattr(dbt_runner, "DBT_PROJECT", project)
        yield zone


def _shorten_what_is_recent(macros: Path) -> None:
    """To half a day: all that happens in a zone happens in less than a month, and nothing would be looked for before it."""
    code = macros.read_text(encoding="utf-8")
    assert code.count('dateadd("day", -30,') == 1
    macros.write_text(code.replace('dateadd("day", -30,', 'dateadd("hour", -12,'), encoding="utf-8")


KILLED_AFTER = (
    *("messages_this_run", "int_messages_resolved", "int_orders_deduplicated", "delivery_status", "campaigns"),
    *("int_messages_enriched", "int_clicks_classified", "int_orders_attributed", "insight_campaigns_this_run"),
    "int_mobile_numbers_suppressed_by_setting",
)
"""The models after which a build is killed, so that some of the later models are built and others are not."""


@tried(1, torture=20, **SLOW)
@given(
    seed=st.integers(1, 10_000),
    refreshes=st.integers(2, 3),
    model=st.sampled_from(KILLED_AFTER),
    bot_clicks=st.sampled_from(("exclude", "count")),
    draw=st.randoms(use_true_random=False),
)
def test_any_number_of_refreshes_equals_a_full_build(
    zone: Zone, seed: int, refreshes: int, model: str, bot_clicks: str, draw: random.Random
) -> None:
    """Refreshes of many files in any order, of which the second is killed after a model and repeated with more files; then
    nights of single rows. What is touched by itself, without all that is near it, shows a night that forgets the rest of a
    group.
    """
    with environment(environment_of(zone.data, zone.landing, insights="true", bot_clicks=bot_clicks)):
        _refresh_bit_by_bit(zone, seed, refreshes, model, draw)
        incremental = zone.rows()
        assert zone.differences_from_oracle(OracleSettings(bot_clicks=bot_clicks)) == {}
        assert zone.build(full_refresh=True) == incremental


def _refresh_bit_by_bit(zone: Zone, seed: int, refreshes: int, model: str, draw: random.Random) -> None:
    files = zone.begin(seed, stories=80, crumbs=40, crowd=True)
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
    """First settings; then a vocabulary and a model in one build, with new files. Each of the two has marts downstream that
    the other has not.
    """
    files = zone.begin(78)
    for file in files[::2]:
        zone.drop(file)
    zone.load()
    before = zone.build()
    of_insights = {
        "insights": "true",
        "bot_clicks": "exclude",
        "bot_click_seconds": "90.5",
        "attribution_half_life_hours": "3",
        "what_if_windows": "2",
        "report_timezone": "Asia/Kathmandu",
    }
    for name, value in environment_of(zone.data, zone.landing, **of_insights).items():
        monkeypatch.setenv(name, value)
    window = environment_of(zone.data, zone.landing, **of_insights, conversion_window_hours="1")
    with environment(window), caplog.at_level("INFO"):
        after = zone.build()
        assert "setting conversion_window_hours" in caplog.text
        assert after != before
        assert after["delivery_status"] == before["delivery_status"]
        assert after["delivery_routes"] == before["delivery_routes"]
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
