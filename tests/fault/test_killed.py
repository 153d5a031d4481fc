"""A refresh that is killed at any point and repeated gives the same as a refresh that is not killed.

A small landing zone with many kinds of rows is refreshed and published. Then log files are added, replaced, truncated,
emptied, damaged and repaired, and the refresh that loads them is killed. Readers must then see a whole build. The repeated
refresh must give the outcome of one refresh of all files.

Not here: how a refresh is killed, and the table of points (`tests.fault.killing`); kills of the command itself
(`tests.fault.test_interrupted`).
"""

import random
from collections.abc import Iterable
from itertools import cycle
from pathlib import Path

import pytest

from models.enums import Log
from models.error_codes import Code
from orchestration import stages
from orchestration.stages import AppContext
from tests.fault import killing
from tests.fault.killing import (
    refresh,
    refresh_killed_after,
    refresh_killed_at,
    roll_back_killed_at,
    seconds_of_a_refresh,
)
from tests.fault.zones import (
    HALF_OF_THE_LOGS,
    NEW_IN,
    Outcome,
    Zone,
    assert_nothing_half_done,
    assert_same,
    contents_of,
    marts_of,
    quarantine_of,
)
from tests.running import exported_rows
from warehouse.export import REPORTS
from warehouse.lake import tables as lake_tables
from warehouse.publish.kept_builds import KeptBuilds
from warehouse.publish.publication import recover_publication

# --- what there is to begin with


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


@pytest.fixture(scope="module")
def released(zone: Zone, built: None) -> None:
    """Kept as `released`: everything is published."""
    zone.restore("built")
    refresh(zone.warehouse())
    zone.keep("released")


# --- named points


@pytest.mark.parametrize(
    "points",
    [
        tuple(killing.IN_A_LOAD),
        *(pytest.param((point,), marks=pytest.mark.torture) for point in killing.IN_A_LOAD),
    ],
    ids="; ".join,
)
def test_a_load_killed_on_every_kind_of_file_is_repeated(
    zone: Zone, published: Outcome, final: Outcome, points: tuple[str, ...]
) -> None:
    """At the points in turn, or on every kind of file at the same one."""
    zone.restore("published")
    _be_killed_in_every_log(zone, published, *points)
    refresh(zone.warehouse())
    assert_same(zone.warehouse(), final)


def _be_killed_in_every_log(zone: Zone, published: Outcome, *points: str, but: Log | None = None) -> None:
    # The last log first: each refresh comes to a log of its own before it comes to those where others were killed.
    for log, point in zip(reversed(Log), cycle(points)):  # the points repeat
        if log != but:
            zone.drop_altered([log])
            refresh_killed_at(zone.warehouse(), point)
            assert_nothing_half_done(zone.warehouse(), [published])


def test_after_a_killed_load_the_marts_agree_with_the_lake_if_log_files_disappear(
    zone: Zone, published: Outcome, final: Outcome
) -> None:
    zone.restore("published")
    _be_killed_in_every_log(zone, published, "both files have moved, the ledger does not record them")
    for files in zone.altered.values():
        for path in files:
            (zone.landing / path).unlink()
    refresh(zone.warehouse())
    for path, content in contents_of(zone.warehouse().paths.lake).items():
        assert content in (published["lake"].get(path), final["lake"].get(path)), "the old or the new, whole"
    noted = {lake_tables.path_of(Path(), file).as_posix() for file in zone.warehouse().ledger.files()}
    lake_files = {path for path in contents_of(zone.warehouse().paths.lake) if not path.endswith("/empty.parquet")}
    assert lake_files <= noted, "what is in the figures is in the ledger"
    assert list(zone.data.glob("*/*/*/.*.tmp")) == [], "what was half written is gone"
    incremental = marts_of(zone.warehouse().paths.published_marts)
    stages.build_candidate(zone.warehouse(), full_refresh=True)
    assert marts_of(zone.warehouse().paths.candidate) == incremental


def test_after_a_killed_load_restored_log_files_give_their_old_rows(zone: Zone, published: Outcome) -> None:
    zone.restore("published")
    _be_killed_in_every_log(zone, published, "the lake file has moved, the quarantine file has not", but=NEW_IN)
    for log in Log:
        if log != NEW_IN:
            zone.drop({path: zone.first[path] for path in zone.altered[log]})
    refresh(zone.warehouse())
    assert_same(zone.warehouse(), published)


@pytest.mark.parametrize("log", [Log.RECEIPTS, pytest.param(Log.ORDERS, marks=pytest.mark.torture)])
@pytest.mark.parametrize("point", killing.IN_A_PUBLICATION_OF_QUARANTINE)
def test_a_killed_publication_of_the_quarantine_is_repeated_without_new_files(
    zone: Zone, published: Outcome, point: str, log: Log
) -> None:
    zone.restore("published")
    zone.drop_altered([log])
    refresh_killed_at(zone.warehouse(), point)
    warehouse = zone.warehouse()
    published_file = warehouse.paths.published_quarantine
    assert quarantine_of(published_file) == published["published quarantine"]
    assert stages.load_changed(warehouse, log) == []
    repeated = quarantine_of(published_file)
    assert repeated != published["published quarantine"]
    stages.publish_quarantine(warehouse)
    assert repeated == quarantine_of(published_file)


@pytest.mark.parametrize("point", killing.IN_AN_UPDATE_OF_KEY_CONFLICTS)
def test_a_killed_update_of_key_conflicts_is_repeated_without_new_files(
    zone: Zone, published: Outcome, point: str
) -> None:
    zone.restore("published")
    before = _conflicting(zone)
    rows = "".join(f"a click,c1,{contact},2026-01-05T08:00\n" for contact in ("one", "another"))
    file = zone.landing / Log.CLICKS / "2026-01-28.conflicts.csv"
    file.write_text(f"click_id,campaign_id,contact_id,clicked_at\n{rows}", encoding="utf-8")
    refresh_killed_at(zone.warehouse(), point)
    assert _conflicting(zone) == before
    assert stages.load_changed(zone.warehouse(), Log.CLICKS) == []
    repeated = _conflicting(zone)
    assert repeated == before | {(Log.CLICKS, file.name): 2}
    zone.warehouse().paths.key_index.unlink()
    stages.publish_quarantine(zone.warehouse())
    assert _conflicting(zone) == repeated


def _conflicting(zone: Zone) -> dict[tuple[Log, str], int]:
    files = zone.warehouse().ledger.files()
    return {(file.log, file.source_file): file.conflicting for file in files if file.conflicting}


@pytest.mark.parametrize("point", killing.BETWEEN_LOGS)
def test_a_refresh_killed_between_two_logs_is_repeated_with_new_files(
    zone: Zone, published: Outcome, final: Outcome, point: str
) -> None:
    zone.restore("published")
    zone.drop_altered(HALF_OF_THE_LOGS)
    refresh_killed_at(zone.warehouse(), point)
    assert_nothing_half_done(zone.warehouse(), [published])
    zone.drop_altered()
    refresh(zone.warehouse())
    assert_same(zone.warehouse(), final)


def test_builds_killed_one_after_the_other_are_repeated(
    zone: Zone, published: Outcome, loaded: None, final: Outcome
) -> None:
    zone.restore("loaded")
    for point in killing.IN_A_BUILD:
        refresh_killed_at(zone.warehouse(), point)
        assert_nothing_half_done(zone.warehouse(), [published, final])
    refresh(zone.warehouse())
    assert_same(zone.warehouse(), final)


@pytest.mark.torture
@pytest.mark.parametrize("point", killing.IN_A_BUILD)
def test_a_killed_build_is_repeated(zone: Zone, published: Outcome, loaded: None, final: Outcome, point: str) -> None:
    zone.restore("loaded")
    refresh_killed_at(zone.warehouse(), point)
    assert_nothing_half_done(zone.warehouse(), [published, final])
    refresh(zone.warehouse())
    assert_same(zone.warehouse(), final)


def test_builds_killed_between_models_are_repeated_with_new_files(
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
def test_a_killed_build_that_rebuilds_some_tables_in_full_is_repeated(
    zone: Zone, published: Outcome, loaded: None, final: Outcome, point: str
) -> None:
    zone.restore("loaded")
    # As where the code of a model was another when its table was built.
    zone.warehouse().ledger.forget_built_from(["model.sendmart.int_orders_converted"])
    refresh_killed_at(zone.warehouse(), point)
    assert_nothing_half_done(zone.warehouse(), [published])
    refresh(zone.warehouse())
    assert_same(zone.warehouse(), final)


def test_killed_full_builds_are_completed_by_a_plain_refresh(
    zone: Zone, published: Outcome, loaded: None, final: Outcome
) -> None:
    zone.restore("loaded")
    for point in killing.IN_A_FULL_BUILD:
        refresh_killed_at(zone.warehouse(), point, full_refresh=True)
        assert_nothing_half_done(zone.warehouse(), [published])
    refresh(zone.warehouse())
    assert_same(zone.warehouse(), final)


@pytest.mark.torture
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


def test_publications_and_exports_killed_one_after_the_other_are_repeated(
    zone: Zone, published: Outcome, built: None, final: Outcome
) -> None:
    """Each refresh is killed at a later point than the one before, and begins with what that one left."""
    zone.restore("built")
    # Not the last point of a publication: once the ledger records the publication, no refresh repeats it.
    for point in [*list(killing.IN_A_PUBLICATION)[:-1], *killing.IN_AN_EXPORT]:
        refresh_killed_at(zone.warehouse(), point)
        assert_nothing_half_done(zone.warehouse(), [published, final])
    refresh(zone.warehouse())
    assert_same(zone.warehouse(), final)
    assert_kept(zone.warehouse(), [published, final])


@pytest.mark.parametrize("point", killing.IN_A_ROLLBACK)
def test_a_killed_rollback_is_repeated_and_the_withdrawn_build_is_held_back(
    zone: Zone, published: Outcome, released: None, final: Outcome, point: str
) -> None:
    zone.restore("released")
    roll_back_killed_at(zone.warehouse(), point)
    warehouse = zone.warehouse()
    assert_nothing_half_done(warehouse, [published, final])
    assert_kept(warehouse, [published, final])
    recover_publication(warehouse.paths, warehouse.ledger)
    if marts_of(warehouse.paths.published_marts) == final["marts"]:
        stages.rollback_build(warehouse)
    assert marts_of(warehouse.paths.published_marts) == published["marts"]
    stages.export_reports(warehouse, stages.reports_to_export(warehouse))
    assert {report: exported_rows(warehouse.paths, report) for report in REPORTS} == published["exports"]
    assert stages.plan_refresh(warehouse).must_publish
    assert Code.BUILD_WITHDRAWN in [problem.code for problem in stages.evaluate_gate(warehouse).blocking_problems]
    refresh(warehouse)
    assert_same(warehouse, final)


def assert_kept(warehouse: AppContext, builds: Iterable[Outcome]) -> None:
    """Both builds are kept, and one of them is published."""
    kept_builds = KeptBuilds(warehouse.paths.kept_builds, warehouse.ledger)
    files = [kept_builds.find(publication.build_id) for publication in kept_builds.publications()]
    expected_marts = [build["marts"] for build in builds]
    assert len(files) == len(expected_marts)
    assert all(marts in map(marts_of, files) for marts in expected_marts)
    assert marts_of(warehouse.paths.published_marts) in map(marts_of, files)


def test_killed_checks_are_run_by_the_next_refresh(zone: Zone, published: Outcome, built: None, final: Outcome) -> None:
    zone.restore("built")
    for point in killing.IN_THE_CHECKS:
        refresh_killed_at(zone.warehouse(), point, checks=True)
        assert_nothing_half_done(zone.warehouse(), [published, final])
        assert "check-missing" in {problem.code for problem in stages.evaluate_gate(zone.warehouse()).blocking_problems}
    refresh(zone.warehouse(), checks=True)
    assert {"check-missing", "check-failed"} & {
        problem.code for problem in stages.evaluate_gate(zone.warehouse()).blocking_problems
    } == set()
    assert_same(zone.warehouse(), final)


def test_a_killed_pruning_is_repeated(zone: Zone, published: Outcome) -> None:
    zone.restore("published")
    folder = zone.warehouse().paths.exports / "campaign_metrics"
    old = [folder / killing.OLD_EXPORT, (folder / killing.OLD_EXPORT).with_suffix(".json"), folder / "mine.csv"]
    for file in old:
        file.write_text("old")
    (point,) = killing.IN_THE_PRUNING
    refresh_killed_at(zone.warehouse(), point)
    assert [file.exists() for file in old] == [False, True, True]
    stages.prune_exports(zone.warehouse())
    assert [file.exists() for file in old] == [False, False, True]


# --- any moment


@pytest.fixture(scope="module")
def seconds(zone: Zone, published: Outcome, final: Outcome) -> float:
    """How long a refresh takes that is not killed."""
    return _seconds(zone, final, checks=False)


def _seconds(zone: Zone, final: Outcome, *, checks: bool) -> float:
    zone.restore("published")
    zone.drop_altered()
    seconds = seconds_of_a_refresh(zone.warehouse(), checks=checks)
    assert_same(zone.warehouse(), final)
    return seconds


KILLS_IN_A_ROW = 6


def _be_killed_at_any_moment(
    zone: Zone, published: Outcome, final: Outcome, seconds: float, seed: int, *, checks: bool
) -> None:
    rng = random.Random(seed)
    zone.restore("published")
    zone.drop_altered()
    for _ in range(KILLS_IN_A_ROW):
        refresh_killed_after(zone.warehouse(), rng.uniform(0, seconds), checks=checks)
        assert_nothing_half_done(zone.warehouse(), [published, final])
    refresh(zone.warehouse(), checks=checks)
    assert_same(zone.warehouse(), final)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.torture)])
def test_refreshes_killed_at_random_moments_are_repeated(
    zone: Zone, published: Outcome, final: Outcome, seconds: float, seed: int
) -> None:
    _be_killed_at_any_moment(zone, published, final, seconds, seed, checks=False)


@pytest.mark.torture
def test_refreshes_with_checks_killed_at_random_moments_are_repeated(
    zone: Zone, published: Outcome, final: Outcome
) -> None:
    """A long campaign: 240 kills."""
    seconds = _seconds(zone, final, checks=True)
    for seed in range(100, 140):
        _be_killed_at_any_moment(zone, published, final, seconds, seed, checks=True)
