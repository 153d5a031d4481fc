"""A refresh that was killed, wherever that was, and repeated, equals one that was not.

A small, nasty landing zone is refreshed and published; then files come, are replaced, cut, emptied, spoilt and mended, and
the refresh that takes them is killed. Right after that nothing half done may show; and when it is repeated, everything a
refresh gives must be what a warehouse gives that got the same files at once and was never killed.

Not here: how a refresh is killed, and the table of points (`tests.fault.killing`); kills of the command itself
(`tests.fault.test_broken_off`).
"""

import hashlib
import json
import random
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from models.runbook import Code
from models.vocabulary import Log
from orchestration import stages
from orchestration.stages import Warehouse
from tests.fault import killing
from tests.fault.killing import (
    refresh,
    refresh_killed_after,
    refresh_killed_at,
    roll_back_killed_at,
    seconds_of_a_refresh,
)
from tests.oracle.landing_zones import write_landing_zone
from tests.running import all_marts, environment, environment_of, exported_rows
from warehouse import landing, publication
from warehouse.exports import REPORTS
from warehouse.settings import load_settings

SEED = 11
NEW_IN = Log.CLICKS
"""The log of which the altered file was not there before."""

HALF_OF_THE_LOGS = tuple(Log)[::2]
Outcome = dict[str, Any]


class Zone:
    """A landing zone and its warehouse, brought back to what they were: always in the same place, since dbt parses its
    project anew wherever its paths differ.

    Of every log a file changes, each in another way (`altered`).
    """

    def __init__(self, folder: Path) -> None:
        self.landing, self.data, self._kept = folder / "landing", folder / "data", folder / "kept"
        whole = folder / "whole"
        write_landing_zone(whole, SEED, stories=40, refused=True, fault_share=0.3)
        everything = {file.relative_to(whole): file.read_bytes() for file in whole.rglob("*") if file.is_file()}
        self.altered = _altered(whole, everything)
        new = self.altered[NEW_IN]
        self.first = {path: content for path, content in everything.items() if path not in new}

    def warehouse(self) -> Warehouse:
        return Warehouse.of(load_settings())

    def drop(self, files: dict[Path, bytes]) -> None:
        for path, content in files.items():
            place = self.landing / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)

    def drop_altered(self, logs: Iterable[Log] = tuple(Log)) -> None:
        for log in logs:
            self.drop(self.altered[log])

    def clear(self) -> None:
        """Forgets everything, but how dbt understood its project."""
        shutil.rmtree(self.landing, ignore_errors=True)
        for place in self.data.glob("*"):
            if place.is_file():
                place.unlink()
            elif place.name != "warehouse":
                shutil.rmtree(place)
        for file in (self.data / "warehouse").glob("*.duckdb*"):
            file.unlink()

    def keep(self, name: str) -> None:
        for folder in (self.landing, self.data):
            shutil.copytree(folder, self._kept / name / folder.name)

    def restore(self, name: str) -> None:
        for folder in (self.landing, self.data):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(self._kept / name / folder.name, folder)


def _altered(whole: Path, everything: dict[Path, bytes]) -> dict[Log, dict[Path, bytes]]:
    """For every log a file that changes, with what it then holds."""
    by_log = {log: [file for file in landing.scan(whole).files if file.log == log] for log in Log}

    def largest(log: Log, *suffixes: str) -> Path:
        files = [file.path for file in by_log[log] if file.path.name.endswith(suffixes)]
        return max(files, key=lambda path: (path.stat().st_size, path)).relative_to(whole)

    mended = next(file.path.relative_to(whole) for file in by_log[Log.CAMPAIGNS] if ".lacking.csv" in file.path.name)
    replaced, cut = largest(Log.SENDS, ".jsonl"), largest(Log.RECEIPTS, ".csv", ".jsonl")
    new, spoilt, emptied = largest(Log.CLICKS, ""), largest(Log.ORDERS, ".gz"), largest(Log.UNSUBSCRIBES, ".csv")
    rates = largest(Log.EXCHANGE_RATES, ".csv", ".jsonl")
    return {
        Log.CAMPAIGNS: {mended: everything[largest(Log.CAMPAIGNS, ".csv")]},
        Log.SENDS: {replaced: _lines(everything[replaced], 0.3) + _lines(everything[replaced], -0.3)},
        Log.RECEIPTS: {cut: _lines(everything[cut], 0.5)},
        Log.CLICKS: {new: everything[new]},
        Log.ORDERS: {spoilt: everything[spoilt][:-9]},
        Log.UNSUBSCRIBES: {emptied: b""},
        Log.EXCHANGE_RATES: {rates: _lines(everything[rates], 0.7)},
    }


def _lines(content: bytes, share: float) -> bytes:
    """The first lines of a file, or, with a negative share, the last."""
    lines = content.splitlines(keepends=True)
    some = round(len(lines) * abs(share))
    return b"".join(lines[:some] if share > 0 else lines[-some:])


# --- what a refresh gives


def outcome(warehouse: Warehouse) -> Outcome:
    """Everything that a refresh gives, but the moments at which it did."""
    paths = warehouse.paths
    return {
        "marts": _marts(paths.published_marts),
        "lake": _contents(paths.lake),
        "quarantine": _contents(paths.quarantine),
        "published quarantine": _published_quarantine(paths.published_quarantine),
        "files": [
            (file.log, file.source_file, file.sha256, file.refusal, file.records, file.accepted, file.first_event)
            for file in warehouse.ledger.files()
        ],
        "exports": {report: exported_rows(paths, report) for report in REPORTS},
    }


_marts_of: dict[str, dict[str, Counter]] = {}
"""What files of marts hold, by their hash: most kills leave the file that was there before."""


def _marts(file: Path) -> dict[str, Counter]:
    digest = _sha256(file)
    if digest not in _marts_of:
        marts = all_marts(file)
        _marts_of[digest] = {mart: Counter(repr(sorted(row.items())) for row in marts[mart]) for mart in marts}
    return _marts_of[digest]


def _contents(folder: Path) -> dict[str, str]:
    return {file.relative_to(folder).as_posix(): _sha256(file) for file in folder.glob("*/log_date=*/*.parquet")}


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _published_quarantine(file: Path) -> Counter:
    with duckdb.connect() as connection:
        connection.execute(f"attach '{file}' as published (read_only)")
        tables = [f"published.quarantine.{table}" for table in ("rejected_rows", "rejected_files")]
        return Counter(repr(row) for table in tables for row in connection.execute(f"from {table}").fetchall())


def assert_same(warehouse: Warehouse, expected: Outcome) -> None:
    assert stages.find_work(warehouse).is_nothing
    found = outcome(warehouse)
    assert [name for name in expected if found[name] != expected[name]] == []


def assert_nothing_half_done(warehouse: Warehouse, builds: Iterable[Outcome]) -> None:
    """What is shown is whole, and belongs to one of these builds."""
    paths, wholes = warehouse.paths, [build["marts"] for build in builds]
    assert _marts(paths.published_marts) in wholes
    if warehouse.ledger.candidate() is not None:
        assert _marts(paths.candidate) in wholes, "half a build is none"
    _published_quarantine(paths.published_quarantine)
    for file in (*paths.lake.glob("*/*/*.parquet"), *paths.quarantine.glob("*/*/*.parquet")):
        pl.read_parquet_schema(file)
    for file in paths.exports.glob("*/*.csv"):
        told = json.loads(file.with_suffix(".json").read_bytes())
        assert told["sha256"] == _sha256(file)


# --- what there is to begin with


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zone]:
    zone = Zone(tmp_path_factory.mktemp("killed"))
    with environment(environment_of(zone.data, zone.landing)):
        yield zone


@pytest.fixture(scope="module")
def final(zone: Zone) -> Outcome:
    """What a refresh of everything gives."""
    zone.drop(zone.first)
    zone.drop_altered()
    refresh(zone.warehouse())
    return outcome(zone.warehouse())


@pytest.fixture(scope="module")
def published(zone: Zone, final: Outcome) -> Outcome:
    """What a refresh gives before anything is altered; kept as `published`."""
    zone.clear()
    zone.drop(zone.first)
    refresh(zone.warehouse())
    found = outcome(zone.warehouse())
    assert [part for part in found if found[part] == final[part]] == [], "what is altered shows everywhere"
    zone.keep("published")
    return found


@pytest.fixture(scope="module")
def loaded(zone: Zone, published: Outcome) -> None:
    """Kept as `loaded`: everything is in the lake, and nothing of it is built."""
    zone.restore("published")
    zone.drop_altered()
    for log in Log:
        stages.load_changed(zone.warehouse(), log)
    zone.keep("loaded")


@pytest.fixture(scope="module")
def built(zone: Zone, loaded: None) -> None:
    """Kept as `built`: everything is built, and nothing of it is published."""
    zone.restore("loaded")
    stages.build_candidate(zone.warehouse())
    zone.keep("built")


# --- named points


@pytest.mark.parametrize("point", killing.IN_A_LOAD)
def test_a_load_killed_on_every_kind_of_file_is_repeated(
    zone: Zone, published: Outcome, final: Outcome, point: str
) -> None:
    zone.restore("published")
    _be_killed_in_every_log(zone, published, point)
    refresh(zone.warehouse())
    assert_same(zone.warehouse(), final)


def _be_killed_in_every_log(zone: Zone, published: Outcome, point: str, but: Log | None = None) -> None:
    # The last log first: each refresh comes to a log of its own before it comes to those where others were killed.
    for log in reversed(Log):
        if log != but:
            zone.drop_altered([log])
            refresh_killed_at(zone.warehouse(), point)
            assert_nothing_half_done(zone.warehouse(), [published])


def test_files_that_are_gone_when_a_killed_load_is_repeated_leave_marts_of_what_the_lake_holds(
    zone: Zone, published: Outcome, final: Outcome
) -> None:
    zone.restore("published")
    _be_killed_in_every_log(zone, published, "both have moved, the ledger does not know")
    for files in zone.altered.values():
        for path in files:
            (zone.landing / path).unlink()
    refresh(zone.warehouse())
    for place, content in _contents(zone.warehouse().paths.lake).items():
        assert content in (published["lake"].get(place), final["lake"].get(place)), "the old or the new, whole"
    incremental = _marts(zone.warehouse().paths.published_marts)
    stages.build_candidate(zone.warehouse(), full_refresh=True)
    assert _marts(zone.warehouse().paths.candidate) == incremental


def test_files_that_are_what_they_were_when_a_killed_load_is_repeated_give_what_they_gave(
    zone: Zone, published: Outcome
) -> None:
    zone.restore("published")
    _be_killed_in_every_log(zone, published, "the lake's file has moved, that of the quarantine has not", but=NEW_IN)
    for log in Log:
        if log != NEW_IN:
            zone.drop({path: zone.first[path] for path in zone.altered[log]})
    refresh(zone.warehouse())
    assert_same(zone.warehouse(), published)


@pytest.mark.parametrize("log", [Log.RECEIPTS, Log.ORDERS])
@pytest.mark.parametrize("point", killing.IN_A_PUBLICATION_OF_QUARANTINE)
def test_a_killed_publication_of_the_quarantine_is_repeated_though_nothing_is_left_to_load(
    zone: Zone, published: Outcome, point: str, log: Log
) -> None:
    zone.restore("published")
    zone.drop_altered([log])
    refresh_killed_at(zone.warehouse(), point)
    warehouse = zone.warehouse()
    shown = warehouse.paths.published_quarantine
    assert _published_quarantine(shown) == published["published quarantine"]
    assert stages.load_changed(warehouse, log) == []
    repeated = _published_quarantine(shown)
    assert repeated != published["published quarantine"]
    stages.publish_quarantine(warehouse)
    assert repeated == _published_quarantine(shown)


@pytest.mark.parametrize("point", killing.BETWEEN_LOGS)
def test_a_refresh_killed_between_logs_is_repeated_with_what_has_come_since(
    zone: Zone, published: Outcome, final: Outcome, point: str
) -> None:
    zone.restore("published")
    zone.drop_altered(HALF_OF_THE_LOGS)
    refresh_killed_at(zone.warehouse(), point)
    assert_nothing_half_done(zone.warehouse(), [published])
    zone.drop_altered()
    refresh(zone.warehouse())
    assert_same(zone.warehouse(), final)


@pytest.mark.parametrize("point", killing.IN_A_BUILD)
def test_a_killed_build_is_repeated(zone: Zone, published: Outcome, loaded: None, final: Outcome, point: str) -> None:
    zone.restore("loaded")
    refresh_killed_at(zone.warehouse(), point)
    assert_nothing_half_done(zone.warehouse(), [published, final])
    refresh(zone.warehouse())
    assert_same(zone.warehouse(), final)


def test_builds_killed_one_after_the_other_between_models_are_repeated_with_what_has_come_since(
    zone: Zone, published: Outcome, final: Outcome
) -> None:
    zone.restore("published")
    zone.drop_altered(HALF_OF_THE_LOGS)
    for point in killing.BETWEEN_MODELS:
        refresh_killed_at(zone.warehouse(), point)
        assert_nothing_half_done(zone.warehouse(), [published])
        zone.drop_altered()
    refresh(zone.warehouse())
    assert_same(zone.warehouse(), final)


@pytest.mark.parametrize("point", killing.IN_A_BUILD_OF_CHANGED_CODE)
def test_a_build_killed_where_some_tables_are_to_be_built_in_full_is_repeated(
    zone: Zone, published: Outcome, loaded: None, final: Outcome, point: str
) -> None:
    zone.restore("loaded")
    # As where the code of a model was another when its table was built.
    zone.warehouse().ledger.forget_built_from(["model.sendmart.int_orders_converted"])
    refresh_killed_at(zone.warehouse(), point)
    assert_nothing_half_done(zone.warehouse(), [published])
    refresh(zone.warehouse())
    assert_same(zone.warehouse(), final)


def test_full_builds_killed_one_after_the_other_are_made_good_by_a_plain_refresh(
    zone: Zone, published: Outcome, loaded: None, final: Outcome
) -> None:
    zone.restore("loaded")
    for point in killing.IN_A_FULL_BUILD:
        refresh_killed_at(zone.warehouse(), point, full_refresh=True)
        assert_nothing_half_done(zone.warehouse(), [published])
    refresh(zone.warehouse())
    assert_same(zone.warehouse(), final)


@pytest.mark.parametrize("point", killing.IN_A_PUBLICATION | killing.IN_AN_EXPORT)
def test_a_killed_publication_or_export_is_repeated(
    zone: Zone, published: Outcome, built: None, final: Outcome, point: str
) -> None:
    zone.restore("built")
    refresh_killed_at(zone.warehouse(), point)
    assert_nothing_half_done(zone.warehouse(), [published, final])
    refresh(zone.warehouse())
    assert_same(zone.warehouse(), final)
    assert_kept(zone.warehouse(), [published, final])


@pytest.mark.parametrize("point", killing.IN_A_ROLLBACK)
def test_a_killed_rollback_is_repeated_and_what_was_gone_back_from_is_held_back(
    zone: Zone, published: Outcome, built: None, final: Outcome, point: str
) -> None:
    zone.restore("built")
    refresh(zone.warehouse())
    roll_back_killed_at(zone.warehouse(), point)
    warehouse = zone.warehouse()
    assert_nothing_half_done(warehouse, [published, final])
    assert_kept(warehouse, [published, final])
    publication.settle(warehouse.paths, warehouse.ledger)
    if _marts(warehouse.paths.published_marts) == final["marts"]:
        stages.roll_back(warehouse)
    assert _marts(warehouse.paths.published_marts) == published["marts"]
    stages.export(warehouse, stages.unexported(warehouse))
    assert {report: exported_rows(warehouse.paths, report) for report in REPORTS} == published["exports"]
    assert stages.find_work(warehouse).must_publish
    assert Code.BUILD_WITHDRAWN in [hold.code for hold in stages.decide(warehouse).holds]
    refresh(warehouse)
    assert_same(warehouse, final)


def assert_kept(warehouse: Warehouse, builds: Iterable[Outcome]) -> None:
    """Both builds are there to go back to, and what is published is one of them."""
    kept = publication.kept_builds(warehouse.paths, warehouse.ledger)
    files = [publication.kept_file(warehouse.paths, warehouse.ledger, build.build_id) for build in kept]
    wholes = [build["marts"] for build in builds]
    assert len(files) == len(wholes)
    assert all(whole in map(_marts, files) for whole in wholes)
    assert _marts(warehouse.paths.published_marts) in map(_marts, files)


# --- any moment


@pytest.fixture(scope="module")
def seconds(zone: Zone, published: Outcome, final: Outcome) -> float:
    """How long a refresh takes that is not killed."""
    zone.restore("published")
    zone.drop_altered()
    seconds = seconds_of_a_refresh(zone.warehouse())
    assert_same(zone.warehouse(), final)
    return seconds


@pytest.mark.parametrize("seed", [1, 2])
def test_a_refresh_killed_again_and_again_at_any_moment_is_repeated(
    zone: Zone, published: Outcome, final: Outcome, seconds: float, seed: int
) -> None:
    rng = random.Random(seed)
    zone.restore("published")
    zone.drop_altered()
    for _ in range(4):
        refresh_killed_after(zone.warehouse(), rng.uniform(0, seconds))
        assert_nothing_half_done(zone.warehouse(), [published, final])
    refresh(zone.warehouse())
    assert_same(zone.warehouse(), final)
