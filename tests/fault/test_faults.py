"""Faults of the machine and of files: a full disk, a read-only folder, a damaged file in every place.

After each, figures equal those where nothing went wrong; or what was published is still there, and the code says why.

Not here: kills (`tests.fault.test_killed`), the clock (`tests.fault.test_clock`).
"""

import logging
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from models.enums import Log
from models.error_codes import Code
from models.marts import BASE_MARTS
from orchestration import stages
from orchestration.errors import Failure, failure_of
from tests.fault.killing import refresh
from tests.fault.zones import NEW_IN, Outcome, Zone, assert_same, marts_of, quarantine_of
from tests.oracle.admission import read_landing
from tests.oracle.compare import differences
from tests.oracle.marts import compute
from tests.running import (
    CASES,
    SENDMART,
    RefreshedWarehouse,
    clean_environment,
    copy_of,
    environment_of,
    mart_rows,
    sendmart,
)
from warehouse.config.settings import PROJECT
from warehouse.export import exports
from warehouse.lake import integrity
from warehouse.lake import tables as lake_tables
from warehouse.transform.dbt_runner import BuildFailed

IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def failing(zone: Zone, stage: Callable[[], object]) -> Failure:
    """What a stage fails of."""
    with pytest.raises(Exception) as raised:
        stage()
    return failure_of(raised.value, zone.warehouse())


# --- the disk


@pytest.fixture
def disk(zone: Zone, published: Outcome) -> Iterator[Callable[[str], None]]:
    """Puts the data folder, as it was published, on a disk of its own; gives what mounts it anew with other options."""
    if not IS_ROOT:
        pytest.skip("NOT TESTED: mounting a small disk needs root")
    zone.restore("published")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(zone.data)], check=False)
    if mounted.returncode:
        pytest.skip("NOT TESTED: a small disk cannot be mounted here")
    try:
        shutil.copytree(zone.kept("published") / "data", zone.data, dirs_exist_ok=True)
        yield lambda options: subprocess.run(["mount", "-o", f"remount,{options}", str(zone.data)], check=True)
    finally:
        subprocess.run(["umount", str(zone.data)], check=True)


@contextmanager
def full(zone: Zone, free_bytes: int) -> Iterator[None]:
    """So many bytes are left on the disk of the data folder."""
    filler = zone.data / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, shutil.disk_usage(zone.data).free - free_bytes))
    try:
        yield
    finally:
        filler.unlink()


def test_a_full_disk_in_any_stage_is_reported_and_keeps_the_published_build(
    zone: Zone, published: Outcome, final: Outcome, disk
) -> None:
    zone.drop_altered()
    warehouse = zone.warehouse()
    marts = warehouse.paths.published_marts

    def load() -> None:
        for log in Log:
            stages.load_changed(warehouse, log)

    for stage, free_bytes, expected_outcome in (
        (load, 4 << 10, published),
        (lambda: stages.build_candidate(warehouse), 4 << 10, published),
        (lambda: stages.publish_candidate(warehouse, warehouse.ledger.candidate()), 64 << 10, published),
        (lambda: stages.export_reports(warehouse, exports.REPORTS), 0, final),
    ):
        with full(zone, free_bytes):
            failure = failing(zone, stage)
            assert (failure.code, str(zone.data) in failure.description) == (Code.DISK_FULL, True), str(failure)
        assert marts_of(marts) == expected_outcome["marts"]
        stage()
    assert_same(warehouse, final)


def test_a_read_only_disk_is_reported_and_keeps_the_published_build(
    zone: Zone, published: Outcome, final: Outcome, disk
) -> None:
    zone.drop_altered()
    disk("ro")
    failure = failing(zone, lambda: refresh(zone.warehouse()))
    assert failure.code == Code.NO_PERMISSION
    assert "SENDMART_DATA" in failure.next_step
    assert marts_of(zone.warehouse().paths.published_marts) == published["marts"]
    disk("rw")
    refresh(zone.warehouse())
    assert_same(zone.warehouse(), final)


@pytest.mark.parametrize("folder", ["", pytest.param("published", marks=pytest.mark.torture)])
def test_a_folder_without_permission_is_named_with_its_setting(tmp_path: Path, folder: str) -> None:
    data = tmp_path / "data"
    (data / "published").mkdir(parents=True)
    (data / folder).chmod(0o555)
    variables = environment_of(data, CASES / "small" / "landing", max_rejected_share="1")
    # Root may do everything, unless it is without this capability.
    without = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if IS_ROOT else []
    run = subprocess.run(
        [*without, SENDMART, "refresh"],
        env=clean_environment(variables), cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    (data / folder).chmod(0o755)
    last_lines = "\n".join(run.stdout.splitlines()[-3:])
    assert run.returncode == 1
    assert "no-permission: " in last_lines
    assert str(data / folder) in last_lines
    assert "SENDMART_DATA" in last_lines
    assert "See docs/runbook/no-permission.md" in last_lines
    assert "Traceback" not in run.stdout + run.stderr


# --- others at work


def test_the_second_of_two_concurrent_refreshes_waits_and_says_so(
    refreshed_small: RefreshedWarehouse, tmp_path: Path
) -> None:
    copy = copy_of(refreshed_small, tmp_path, max_rejected_share="1")
    variables, unsubscribes = copy.environment, copy.landing / Log.UNSUBSCRIBES
    (unsubscribes / "2026-01-30.csv").write_text(
        "contact_id,unsubscribed_at\nsomebody-new,2026-01-30T08:00:00Z\n", encoding="utf-8"
    )
    with ThreadPoolExecutor() as threads:
        both = list(threads.map(lambda _: sendmart(variables, "refresh"), range(2)))
    outputs = [run.stdout for run in both]
    assert [run.returncode for run in both] == [0, 0], outputs
    assert sum("Another refresh is running on this data folder" in output for output in outputs) == 1
    assert sum("Up to date" in output for output in outputs) == 1
    expected = compute(read_landing(copy.landing).rows)
    for mart in BASE_MARTS:
        assert differences(expected[mart], mart_rows(copy.warehouse.paths.published_marts, mart)) == []


LONG_QUERY = """
import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True) as c:
    c.execute("set enable_progress_bar = false")
    query = c.execute("select build_id from marts.build_info, range(3000000)")
    seen = {query.fetchone()[0]}
    print("reading", flush=True)
    sys.stdin.readline()
    while rows := query.fetchmany(100000):
        seen |= {row[0] for row in rows}
    print(*seen, flush=True)
"""


def test_a_long_query_sees_one_build_while_another_is_published(zone: Zone, published: Outcome, final: Outcome) -> None:
    zone.restore("published")
    zone.drop_altered()
    warehouse = zone.warehouse()
    (before, _) = warehouse.ledger.last_publication()
    command = [sys.executable, "-c", LONG_QUERY, str(warehouse.paths.published_marts)]
    reader = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert reader.stdout.readline() == "reading\n"
    refresh(warehouse)
    out, _ = reader.communicate("\n")
    assert (reader.returncode, out) == (0, f"{before}\n")
    assert warehouse.ledger.last_publication()[0] != before
    assert_same(warehouse, final)


# --- damaged files of the build


def _garbage(file: Path) -> None:
    file.write_bytes(b"no database" * 1000)


def _cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _blocks_of_nothing(file: Path) -> None:
    """The headers are whole: it is found when the tables are read."""
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(12288)
        opened.write(os.urandom(size - 12288))


@pytest.mark.parametrize(
    ("name", "damage"),
    [("candidate", _cut), ("build", _blocks_of_nothing), pytest.param("build", _garbage, marks=pytest.mark.torture)],
)
def test_a_damaged_build_file_is_reported_and_rebuilt_from_the_lake(
    zone: Zone, published: Outcome, final: Outcome, caplog: pytest.LogCaptureFixture, name: str, damage
) -> None:
    zone.restore("published")
    zone.drop_altered()
    damage(getattr(zone.warehouse().paths, name))
    with caplog.at_level(logging.WARNING):
        refresh(zone.warehouse())
    assert any("built in full from the lake" in record.getMessage() for record in caplog.records)
    assert_same(zone.warehouse(), final)


def test_a_damaged_dbt_manifest_is_written_again(zone: Zone, published: Outcome) -> None:
    """dbt's manifest is damaged after a whole build: the release gate reads the expected checks from a new one."""
    zone.restore("published")
    verdict = stages.evaluate_gate(zone.warehouse())
    manifest = zone.warehouse().paths.dbt_target / "manifest.json"
    _cut(manifest)
    assert stages.evaluate_gate(zone.warehouse()) == verdict
    manifest.write_text("{}")
    assert stages.evaluate_gate(zone.warehouse()) == verdict


def test_a_damaged_candidate_is_never_published(zone: Zone, published: Outcome, final: Outcome) -> None:
    zone.restore("published")
    zone.drop_altered()
    warehouse = zone.warehouse()
    for log in Log:
        stages.load_changed(warehouse, log)
    stages.build_candidate(warehouse)
    candidate = warehouse.ledger.candidate()
    _blocks_of_nothing(warehouse.paths.candidate)
    failure = failing(zone, lambda: stages.publish_candidate(warehouse, candidate))
    assert failure.code == Code.BUILD_FILE_CORRUPT
    assert marts_of(warehouse.paths.published_marts) == published["marts"]
    refresh(warehouse)
    assert_same(warehouse, final)


def test_damaged_or_missing_published_files_are_published_again(zone: Zone, published: Outcome) -> None:
    zone.restore("published")
    paths = zone.warehouse().paths
    _garbage(paths.published_marts)
    assert stages.plan_refresh(zone.warehouse()).must_publish
    for damage in (_cut, Path.unlink):
        damage(paths.published_quarantine)
        refresh(zone.warehouse())
        assert quarantine_of(paths.published_quarantine) == published["published quarantine"]
    assert_same(zone.warehouse(), published)


# --- damaged files of the lake


def _other_bytes(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def _held_of(zone: Zone, log: Log) -> Path:
    """A file of the lake that an alteration replaces."""
    (path,) = zone.altered[log]
    source_file = path.relative_to(log).as_posix()
    (file,) = [file for file in zone.warehouse().ledger.files(log) if file.source_file == source_file]
    return lake_tables.path_of(zone.warehouse().paths.lake, file)


def test_damaged_lake_files_are_loaded_again_from_the_landing_zone(zone: Zone, published: Outcome) -> None:
    zone.restore("published")
    warehouse = zone.warehouse()
    _cut(_held_of(zone, Log.SENDS))
    _held_of(zone, Log.RECEIPTS).unlink()
    assert stages.plan_refresh(warehouse).must_build, "sizes are looked at each time"
    refresh(warehouse)
    assert_same(warehouse, published)

    _other_bytes(_held_of(zone, Log.SENDS))
    assert stages.plan_refresh(warehouse).is_empty
    assert stages.plan_refresh(warehouse, verify=True).must_build, "checksums are looked at where one asks for it"
    stages.build_candidate(warehouse, full_refresh=True)
    assert integrity.find_damaged(warehouse.paths, warehouse.ledger, verify_checksums=True) == []
    refresh(warehouse)
    assert_same(warehouse, published)


def test_replacing_a_damaged_lake_file_gives_the_right_marts(zone: Zone, published: Outcome, final: Outcome) -> None:
    zone.restore("published")
    for log in (Log.SENDS, Log.ORDERS):
        _other_bytes(_held_of(zone, log))
    zone.drop_altered()
    refresh(zone.warehouse())
    assert_same(zone.warehouse(), final)


@pytest.mark.parametrize(
    "damage", [_cut, *(pytest.param(damage, marks=pytest.mark.torture) for damage in (_other_bytes, Path.unlink))]
)
def test_a_damaged_lake_file_without_its_log_file_fails_the_refresh_until_the_file_is_dropped_again(
    zone: Zone, published: Outcome, damage
) -> None:
    zone.restore("published")
    warehouse = zone.warehouse()
    (path,) = zone.altered[Log.SENDS]
    (zone.landing / path).unlink()
    damage(_held_of(zone, Log.SENDS))
    failure = failing(zone, lambda: refresh(warehouse, full_refresh=True))
    assert failure.code == Code.LAKE_FILE_CORRUPT
    for expected_text in (path.as_posix(), "2026-01-", "lake/sends/log_date="):
        assert expected_text in failure.description
    assert marts_of(warehouse.paths.published_marts) == published["marts"]
    if damage is _cut:
        zone.drop({path: zone.first[path]})
        refresh(warehouse)
        assert_same(warehouse, published)
    else:
        zone.drop({path: b""})
        assert [file.accepted for file in stages.load_changed(warehouse, Log.SENDS, verify=True)] == [0]
        assert integrity.find_damaged(warehouse.paths, warehouse.ledger, verify_checksums=True) == []


def test_a_lake_without_recorded_checksums_is_checked_by_row_counts_and_then_recorded(
    zone: Zone, published: Outcome
) -> None:
    zone.restore("published")
    warehouse = zone.warehouse()
    with sqlite3.connect(warehouse.paths.ledger) as connection:
        connection.execute("drop table lake_contents")
    connection.close()
    assert stages.plan_refresh(warehouse).is_empty
    _cut(_held_of(zone, Log.ORDERS))
    (damaged_file,) = integrity.find_damaged(warehouse.paths, warehouse.ledger, verify_checksums=True)
    assert damaged_file.log == Log.ORDERS
    for log in Log:
        stages.load_changed(warehouse, log, verify=True)
    noted = warehouse.ledger.checksums()
    data_files = [*warehouse.paths.lake.rglob("*.parquet"), *warehouse.paths.quarantine.rglob("*.parquet")]
    assert {file.relative_to(zone.data) for file in data_files if file.name != "empty.parquet"} == set(noted)
    refresh(warehouse)
    assert_same(warehouse, published)


# --- the ledger


def test_a_damaged_or_missing_ledger_is_a_clear_error_and_a_new_one_reloads_everything(
    zone: Zone, published: Outcome
) -> None:
    zone.restore("published")
    paths = zone.warehouse().paths
    noted = {(file.log, file.source_file): file for file in zone.warehouse().ledger.files()}
    variables = environment_of(zone.data, zone.landing)
    for content in (b"no ledger " * 1000, b""):
        paths.ledger.write_bytes(content)
        for command in ("refresh", "status"):
            _assert_ledger_unusable(sendmart(variables, command))
        assert paths.ledger.read_bytes() == content
    paths.ledger.unlink()
    _assert_ledger_unusable(sendmart(variables, "refresh"))
    assert not paths.ledger.exists()
    assert marts_of(paths.published_marts) == published["marts"]

    zone.warehouse().ledger.create()
    deleted_paths = [
        path for log, files in zone.altered.items() for path in files if log not in (NEW_IN, Log.CAMPAIGNS)
    ]
    for path in deleted_paths:
        (zone.landing / path).unlink()
    refresh(zone.warehouse())
    assert marts_of(paths.published_marts) == published["marts"], "the lake is the archive"
    for file in zone.warehouse().ledger.files():
        before = noted[file.log, file.source_file]
        assert (file.records, file.accepted, file.first_event) == (before.records, before.accepted, before.first_event)
    assert stages.plan_refresh(zone.warehouse()).is_empty


def _assert_ledger_unusable(run: subprocess.CompletedProcess[str]) -> None:
    output = run.stdout + run.stderr
    assert run.returncode == 1
    assert "ledger-unusable: " in output
    assert "docs/runbook/ledger-unusable.md" in output
    assert "Traceback" not in output


# --- exports, vocabulary


def test_a_deleted_export_is_written_again(zone: Zone, published: Outcome) -> None:
    zone.restore("published")
    warehouse = zone.warehouse()
    (file,) = (warehouse.paths.exports / "delivery_status").glob("*.csv")
    file.unlink()
    assert stages.reports_to_export(warehouse) == ["delivery_status"]
    assert stages.plan_refresh(warehouse).must_export
    refresh(warehouse)
    assert_same(warehouse, published)


def test_a_vocabulary_with_mixed_line_endings_gives_one_clear_line(
    zone: Zone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from warehouse.transform import dbt_runner

    vocabulary = tmp_path / "vocabulary.csv"
    vocabulary.write_bytes(b"provider,status\r\na,b\nc,d\r\n")
    monkeypatch.setattr(dbt_runner, "project_files", lambda: [vocabulary])
    with pytest.raises(BuildFailed, match=r"vocabulary\.csv: some lines end in LF, others in CRLF"):
        dbt_runner.check_seeds()
    vocabulary.write_bytes(b"provider,status\r\na,b\r\n")
    dbt_runner.check_seeds()
