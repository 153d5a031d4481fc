"""What others do to a data folder between the stages of a refresh: the ledger is locked or loses its journal, files are gone,
another data folder reads the same landing zone, a folder is read-only or moves, somebody erases a contact.

After each, figures equal those where nothing went wrong; or what was published is still there, and the code says why.

Not here: kills (`test_killed`), faults of the machine and damaged files (`test_faults`).
"""

import gc
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from models.check_results import CheckResult
from models.enums import Log
from models.error_codes import Code
from orchestration import stages
from orchestration.errors import Failure, failure_of
from orchestration.run_refresh import dagster_home
from orchestration.stages import AppContext
from tests.contact_search import CONTACT, copy_warehouse, files_with_contact
from tests.fault.killing import refresh
from tests.fault.zones import Outcome, Zone, assert_same, marts_of, outcome
from tests.processes import processes, run_in_environment
from tests.running import RefreshedWarehouse, clean_environment, environment_of, mart_rows
from warehouse.config.paths import DataPaths
from warehouse.config.settings import Settings
from warehouse.lake import tables as lake_tables
from warehouse.ledger import Ledger, store
from warehouse.privacy import load_keyed_hash
from warehouse.transform import build, dbt_tests
from warehouse.transform.dbt_runner import run_dbt

IS_ROOT = os.geteuid() == 0
PATIENCE_SECONDS = 120


def failing(warehouse: AppContext, stage: Callable[[], object]) -> Failure:
    """What a stage fails of."""
    with pytest.raises(Exception) as raised:
        stage()
    failure = failure_of(raised.value, warehouse)
    del raised
    gc.collect(1)  # the traceback, which is young, holds a connection to the file
    return failure


def load(warehouse: AppContext) -> None:
    for log in Log:
        stages.load_changed(warehouse, log)


# --- the ledger


@contextmanager
def locked(ledger: Path) -> Iterator[None]:
    """Another program has the ledger open, and writes."""
    with closing(sqlite3.connect(ledger, isolation_level=None)) as other:
        other.execute("begin exclusive")
        yield


def test_a_locked_ledger_fails_each_stage_and_the_next_refresh_completes(
    zone: Zone, published: Outcome, final: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone.restore("published")
    zone.drop_altered()
    warehouse = zone.warehouse()
    ledger, record_publication = warehouse.paths.ledger, Ledger.record_publication

    def assert_locked(stage: Callable[[], object]) -> None:
        failure = failing(warehouse, stage)
        assert (failure.code, str(ledger) in failure.description) == (Code.FILE_LOCKED, True)

    def publish() -> None:
        stages.publish_candidate(warehouse, warehouse.ledger.candidate())

    def record_locked(*arguments: object) -> None:
        with locked(ledger):
            record_publication(*arguments)

    monkeypatch.setattr(store, "LOCK_TIMEOUT_SECONDS", 0.1)
    for stage in (lambda: load(warehouse), lambda: stages.build_candidate(warehouse), publish):
        with locked(ledger):
            assert_locked(stage)
        assert marts_of(warehouse.paths.published_marts) == published["marts"]
        if stage is not publish:
            stage()
    with monkeypatch.context() as patch:  # the new file is in place, and the ledger cannot be told
        patch.setattr(Ledger, "record_publication", record_locked)
        assert_locked(publish)
    refresh(warehouse)
    assert_same(warehouse, final)


def test_a_deleted_write_ahead_log_or_journal_of_the_ledger_loses_no_row(
    zone: Zone, published: Outcome, final: Outcome
) -> None:
    """Another program has switched the ledger to a write-ahead log, which holds all that the refresh recorded."""
    zone.restore("published")
    zone.drop_altered()
    warehouse = zone.warehouse()
    ledger = warehouse.paths.ledger
    with closing(sqlite3.connect(ledger, isolation_level=None)) as reader:
        reader.execute("pragma journal_mode = wal")
        reader.execute("begin").execute("select * from files").fetchone()
        refresh(warehouse)
        assert ledger.with_name(f"{ledger.name}-wal").stat().st_size
        without_log = ledger.read_bytes()
    ledger.write_bytes(without_log)
    assert stages.plan_refresh(warehouse).must_build
    refresh(warehouse)
    assert_same(warehouse, final)

    with closing(sqlite3.connect(ledger, isolation_level=None)) as other:
        other.execute("pragma journal_mode = delete")
        other.execute("pragma cache_size = 1")  # so that pages are written before the commit
        other.execute("begin").execute("update files set refusal = hex(randomblob(2000)), sha256 = 'half written'")
        assert ledger.with_name(f"{ledger.name}-journal").stat().st_size
        half_written = ledger.read_bytes()
        other.execute("rollback")
    assert half_written != ledger.read_bytes()
    ledger.write_bytes(half_written)
    try:
        stages.check_ledger(warehouse)
        refresh(warehouse)
    except sqlite3.Error as error:
        assert failure_of(error, warehouse).code is Code.LEDGER_UNUSABLE
        assert marts_of(warehouse.paths.published_marts) == final["marts"]
    else:
        assert_same(warehouse, final)


# --- between the stages


def _lake_file(zone: Zone, log: Log) -> Path:
    """The lake's file of the log file that was altered."""
    (path,) = zone.altered[log]
    wanted = path.relative_to(log).as_posix()
    (file,) = [file for file in zone.warehouse().ledger.files(log) if file.source_file == wanted]
    return lake_tables.path_of(zone.warehouse().paths.lake, file)


def _cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def test_a_lake_file_that_is_damaged_between_load_and_build_is_loaded_again(
    zone: Zone, published: Outcome, final: Outcome
) -> None:
    """The build is incremental, and would leave out the rows of a file that is gone."""
    zone.restore("published")
    zone.drop_altered()
    warehouse = zone.warehouse()
    load(warehouse)
    _lake_file(zone, Log.SENDS).unlink()
    _cut(_lake_file(zone, Log.RECEIPTS))
    stages.build_candidate(warehouse)
    assert marts_of(warehouse.paths.candidate) == final["marts"]
    _lake_file(zone, Log.SENDS).unlink()
    stages.publish_candidate(warehouse, warehouse.ledger.candidate())
    assert marts_of(warehouse.paths.published_marts) == final["marts"], "it was built before the damage"
    refresh(warehouse)
    assert_same(warehouse, final)


def test_a_build_file_that_is_gone_or_cut_between_two_stages_is_never_published(
    zone: Zone, published: Outcome, final: Outcome
) -> None:
    zone.restore("published")
    zone.drop_altered()
    warehouse = zone.warehouse()
    paths = warehouse.paths
    load(warehouse)
    stages.build_candidate(warehouse)
    candidate = warehouse.ledger.candidate()
    built = {file: file.read_bytes() for file in (paths.ledger, paths.build, paths.candidate)}
    for file, damage in ((paths.candidate, Path.unlink), (paths.candidate, _cut), (paths.build, Path.unlink)):
        for stage in (
            lambda: stages.test_candidate(warehouse),
            lambda: stages.audit_candidate(warehouse),
            lambda: stages.publish_candidate(warehouse, candidate),
        ):
            for path, content in built.items():
                path.write_bytes(content)
            damage(file)
            failure = failing(warehouse, stage)
            assert failure.code is Code.BUILD_FILE_CORRUPT, failure
            assert marts_of(paths.published_marts) == published["marts"]
    refresh(warehouse)
    assert_same(warehouse, final)


@pytest.mark.parametrize("name", ["candidate", "build"])
def test_a_build_file_that_is_removed_while_it_is_written_or_tested_is_never_published(
    zone: Zone, published: Outcome, final: Outcome, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """dbt and DuckDB go on with the removed file, and the next session creates an empty one."""
    zone.restore("published")
    zone.drop_altered()
    warehouse = zone.warehouse()
    file: Path = getattr(warehouse.paths, name)
    commands: list[str] = []

    def run_and_remove(settings: Settings, paths: DataPaths, command: list[str], *more: object) -> list[Any]:
        results = run_dbt(settings, paths, command, *more)
        if command[0] == "build" and not commands:
            file.unlink()
        commands.append(command[0])
        return results

    def remove_and_run(*arguments: Any) -> CheckResult:
        file.unlink(missing_ok=True)
        return run_test(*arguments)

    run_test = dbt_tests._run_test
    monkeypatch.setattr(build, "run_dbt", run_and_remove)
    monkeypatch.setattr(dbt_tests, "_run_test", remove_and_run)
    load(warehouse)
    stages.build_candidate(warehouse)
    assert commands == ["build", "build"], "it is built again, in full"
    assert marts_of(warehouse.paths.candidate) == final["marts"]
    assert failing(warehouse, lambda: stages.test_candidate(warehouse)).code is Code.BUILD_FILE_CORRUPT
    assert marts_of(warehouse.paths.published_marts) == published["marts"]
    monkeypatch.undo()
    refresh(warehouse)
    assert_same(warehouse, final)


# --- folders


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    if not IS_ROOT:
        pytest.skip("NOT TESTED: a read-only mount needs root")
    if subprocess.run(["mount", "--bind", folder, folder], check=False).returncode:
        pytest.skip("NOT TESTED: nothing can be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_read_only_landing_zone_is_enough_and_a_read_only_data_folder_is_reported(
    zone: Zone, published: Outcome, final: Outcome
) -> None:
    zone.restore("published")
    zone.drop_altered()
    warehouse = zone.warehouse()
    with read_only(zone.data):
        for stage in (
            lambda: refresh(warehouse),
            lambda: stages.publish_candidate(warehouse, warehouse.ledger.candidate()),
            lambda: stages.rollback_build(warehouse),
            lambda: stages.erase_contact(warehouse, "nobody", ""),
            lambda: stages.export_reports(warehouse, ["campaign_metrics"]),
        ):
            failure = failing(warehouse, stage)
            assert (failure.code, "SENDMART_DATA" in failure.next_step) == (Code.NO_PERMISSION, True), failure
    with read_only(zone.landing):
        refresh(warehouse)
        assert_same(warehouse, final)


def test_a_second_data_folder_on_the_landing_zone_is_independent_and_a_folder_can_move(
    zone: Zone, published: Outcome, final: Outcome
) -> None:
    zone.restore("published")
    first = zone.warehouse()
    second = AppContext.of(first.settings.model_copy(update={"data": zone.data.with_name("second")}))
    shutil.copytree(zone.data, second.settings.data)
    zone.drop_altered()
    try:
        load(first)
        refresh(second)
        assert_same(second, final)
        assert marts_of(first.paths.published_marts) == published["marts"]
        refresh(first)
        assert_same(first, final)
        # The second is one that has moved, from here on without the folder that it was.
        shutil.rmtree(zone.data)
        stages.rollback_build(second)
        assert marts_of(second.paths.published_marts) == published["marts"]
        stages.rollback_build(second, second.ledger.candidate().build_id)
        assert outcome(second)["marts"] == final["marts"]
        (exported,) = stages.export_reports(second, ["campaign_metrics"])
        assert (second.paths.exports / "campaign_metrics" / exported.file).exists()
        assert not zone.data.exists()
    finally:
        shutil.rmtree(second.settings.data)


# --- erasure


def test_a_contact_that_is_erased_between_two_stages_is_nowhere_afterwards(
    zone: Zone, published: Outcome, final: Outcome
) -> None:
    zone.restore("published")
    zone.drop_altered()
    warehouse = zone.warehouse()
    contact = mart_rows(warehouse.paths.published_marts, "delivery_status")[0]["contact_id"]
    load(warehouse)
    stages.build_candidate(warehouse)
    candidate = warehouse.ledger.candidate()
    stages.erase_contact(warehouse, contact, "")
    for stage in (
        lambda: stages.test_candidate(warehouse),
        lambda: stages.audit_candidate(warehouse),
        lambda: stages.publish_candidate(warehouse, candidate),
    ):
        assert "Run: sendmart refresh" in str(failing(warehouse, stage))
    refresh(warehouse)
    rows = mart_rows(warehouse.paths.published_marts, "delivery_status")
    assert contact not in {row["contact_id"] for row in rows}
    assert len(rows) == sum(final["marts"]["delivery_status"].values())


def test_an_erasure_waits_for_a_refresh_and_reaches_masked_files(
    refreshed_wide: RefreshedWarehouse, tmp_path: Path
) -> None:
    warehouse = copy_warehouse(refreshed_wide, tmp_path / "copy")
    warehouse = AppContext.of(warehouse.settings.model_copy(update={"mask_phone_numbers": True}))
    stages.publish_candidate(warehouse, warehouse.ledger.candidate())
    stages.export_reports(warehouse, ["delivery_status"])
    rows = mart_rows(warehouse.paths.published_marts, "delivery_status")
    number_hash = next(row["mobile_number_hash"] for row in rows if row["contact_id"] == CONTACT)
    assert number_hash == load_keyed_hash(warehouse.paths, warehouse.ledger).of("+4477000841")
    variables = clean_environment(
        environment_of(warehouse.settings.data, warehouse.settings.landing, mask_phone_numbers="true")
    )
    printed = tmp_path / "printed"
    with warehouse.paths.writer_lock():
        arguments = (variables, ("erase", "--contact", CONTACT), printed, tmp_path / "errors")
        erasing = processes.Process(target=run_in_environment, args=arguments)
        erasing.start()
        started = time.monotonic()
        while not (printed.exists() and "Waiting for it to finish" in printed.read_text()):
            assert time.monotonic() - started < PATIENCE_SECONDS
            time.sleep(0.05)
        assert not warehouse.ledger.is_erasing()
    erasing.join(PATIENCE_SECONDS)
    assert (erasing.exitcode, (tmp_path / "errors").read_text()) == (0, "")
    assert files_with_contact(warehouse.settings.data) == set()
    rows = mart_rows(warehouse.paths.published_marts, "delivery_status")
    assert number_hash not in {row["mobile_number_hash"] for row in rows}
    exported = "".join(file.read_text() for file in (warehouse.paths.exports / "delivery_status").glob("*.csv"))
    assert number_hash not in exported


# --- Dagster's history


def _open_instance(home: str, barrier) -> None:
    barrier.wait()
    dg.DagsterInstance.from_config(home).dispose()


def test_processes_that_start_at_once_create_the_history_once(zone: Zone, published: Outcome) -> None:
    """Two daemons, or a daemon and a refresh, on a new data folder."""
    zone.restore("published")
    home, barrier = str(dagster_home(zone.warehouse())), processes.Barrier(4)
    opening = [processes.Process(target=_open_instance, args=(home, barrier)) for _ in range(4)]
    for process in opening:
        process.start()
    for process in opening:
        process.join(PATIENCE_SECONDS)
    assert [process.exitcode for process in opening] == [0] * 4
    databases = sorted(Path(home).rglob("*.db"))
    assert databases
    for database in databases:
        with closing(sqlite3.connect(database)) as connection:
            assert len(connection.execute("select * from alembic_version").fetchall()) == 1, database
