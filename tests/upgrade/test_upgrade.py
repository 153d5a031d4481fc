"""From an older version to this one, which takes its data folder over.

Not here: where the data folder of the older version comes from (`older_releases`).
"""

import json
import logging
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from benchmarks.earlier_release import NoHistory
from models.enums import Log
from models.error_codes import Code
from models.insights import INSIGHTS
from models.masking import HIDDEN_COLUMNS, MASKED_COLUMNS
from orchestration import stages
from orchestration.stages import AppContext, plan_refresh
from reports.database import PublishedDatabase
from reports.queries.campaign import over_time
from tests.running import (
    RefreshedWarehouse,
    all_marts,
    environment,
    environment_of,
    mart_rows,
    quarantine_rows,
    refresh_in_process,
    refresh_without_dagster,
    rejected_rows,
    sendmart,
)
from tests.upgrade.older_releases import ERASED, REJECTED_BEFORE, SETTINGS, run_release, unpack, write_landing
from warehouse.config import sendmart_version
from warehouse.config.paths import DataPaths
from warehouse.lake import tables as lake_tables
from warehouse.ledger import Ledger, LoadedFile
from warehouse.ledger.store import VERSION
from warehouse.publish.build_diff import MartChange, compare
from warehouse.storage import Checksum


@dataclass(frozen=True)
class Upgraded:
    """A data folder as an older version left it, what commands of this one said then, and one refresh by this one."""

    release: str
    ledger_before: int
    files_before: list[LoadedFile]
    build_before: str
    build_info_before: dict[str, object]
    commands_before: list[subprocess.CompletedProcess[str]]
    databases_before: set[str]
    after: RefreshedWarehouse
    said: str


@contextmanager
def _logged() -> Iterator[list[str]]:
    """The messages that are logged meanwhile."""
    messages: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = logging.getLogger("sendmart.build")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)


def _upgrade(release: str, folder: Path) -> Upgraded:
    """What the older release left in `folder`, and then this one."""
    data, landing, published = folder / "data", folder / "landing", folder / "data" / "published"
    variables, paths = environment_of(data, landing, **SETTINGS), DataPaths(data)
    with sqlite3.connect(paths.ledger) as connection:
        (ledger_before,) = connection.execute("pragma user_version").fetchone()
    ledger = Ledger(paths.ledger)
    files, (build, _) = ledger.files(), ledger.last_publication()
    (info,) = mart_rows(published / "marts.duckdb", "build_info")
    commands = (("status",), ("export", "campaign_metrics", "--format", "xlsx")) if release == "0.2" else ()
    before = [sendmart(variables, *arguments) for arguments in commands]
    databases = {path.name for path in published.glob("*.duckdb")}
    with _logged() as words:
        after = refresh_in_process(data, landing, **SETTINGS)
    return Upgraded(release, ledger_before, files, build, info, before, databases, after, "\n".join(words))


def _upgrade_in_place(release: str, folder: Path) -> Upgraded:
    try:
        run_release(release, folder)
    except NoHistory as error:
        pytest.skip(f"the history is not there (a shallow clone?): {error}")
    return _upgrade(release, folder)


@pytest.fixture(scope="module")
def upgraded_from_0_2(tmp_path_factory: pytest.TempPathFactory) -> Upgraded:
    folder = tmp_path_factory.mktemp("upgraded_from_0_2")
    unpack("0.2", folder)
    return _upgrade("0.2", folder)


@pytest.fixture(scope="module")
def upgraded_in_place_from_0_2(tmp_path_factory: pytest.TempPathFactory) -> Upgraded:
    return _upgrade_in_place("0.2", tmp_path_factory.mktemp("upgraded_in_place_from_0_2"))


@pytest.fixture(scope="module")
def upgraded_in_place_from_0_1(tmp_path_factory: pytest.TempPathFactory) -> Upgraded:
    return _upgrade_in_place("0.1", tmp_path_factory.mktemp("upgraded_in_place_from_0_1"))


# The archive of the last release in `make test`; in `make torture`, what the releases themselves write.
@pytest.fixture(
    scope="module",
    params=[
        "from_0_2",
        pytest.param("in_place_from_0_2", marks=pytest.mark.torture),
        pytest.param("in_place_from_0_1", marks=pytest.mark.torture),
    ],
)
def upgraded(request: pytest.FixtureRequest) -> Upgraded:
    return request.getfixturevalue(f"upgraded_{request.param}")


def test_the_archive_holds_the_landing_zone_of_the_small_case(tmp_path: Path) -> None:
    unpack("0.2", tmp_path)
    write_landing(tmp_path / "landing_now")
    archived, now = (
        {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
        for folder in (tmp_path / "landing", tmp_path / "landing_now")
    )
    assert archived == now, "run python -m tests.upgrade.older_releases, which writes the archive anew"


def test_a_build_of_an_older_version_is_rebuilt_in_full(upgraded: Upgraded) -> None:
    assert upgraded.after.outcome == "published", upgraded.after.message
    assert upgraded.build_info_before["version"] == f"{upgraded.release}.0", "the older release published it"
    assert re.search(r"removed: .*\btouched_messages\b.*; everything is built in full", upgraded.said)
    published = upgraded.after.warehouse.paths.published_marts
    assert mart_rows(published, "build_info")[0]["version"] == sendmart_version()
    assert {path.name for path in published.parent.glob("*.duckdb")} == {"sendmart.duckdb", "quarantine.duckdb"}


def test_the_insights_are_built_from_the_lake_of_an_older_version(upgraded: Upgraded) -> None:
    published = upgraded.after.warehouse.paths.published_marts
    rows = {mart: mart_rows(published, mart) for mart in INSIGHTS}
    metrics = mart_rows(published, "campaign_metrics")
    assert {row["campaign_id"] for row in rows["campaign_economics"]} == {row["campaign_id"] for row in metrics}
    assert sum(row["messages"] for row in rows["delivery_routes"]) == sum(row["total_sent"] for row in metrics) > 0


def test_only_files_with_rejected_rows_are_loaded_again(upgraded: Upgraded) -> None:
    files = upgraded.after.warehouse.ledger.files()
    before = {(file.log, file.source_file): file for file in upgraded.files_before}
    after = {(file.log, file.source_file): replace(file, conflicting=0) for file in files}
    has_rejections = {name for name, file in before.items() if file.rejected or file.refusal}
    mended, read_now = (Log.RECEIPTS, REJECTED_BEFORE), (Log.CLICKS, "2026-01-11/gw-1.json")
    assert has_rejections > {mended}
    assert {name for name, file in after.items() if before.get(name) != file} == {*has_rejections, read_now}
    assert (before[mended].accepted, before[mended].rejected) == (1, 3)
    assert (after[mended].accepted, after[mended].rejected) == (4, 0)
    assert plan_refresh(upgraded.after.warehouse).is_empty, "and once"
    conflicts = quarantine_rows(upgraded.after.warehouse.paths.published_quarantine, "key_conflicts")
    assert sum(row["rows"] for row in conflicts) == sum(file.conflicting for file in files) > 0


def test_figures_equal_a_build_from_the_landing_zone(upgraded: Upgraded, refreshed_small: RefreshedWarehouse) -> None:
    # The first build: other tests may have published more since.
    first = refreshed_small.warehouse.ledger.publications()[0].build_id
    fresh, after = (
        {mart: _without_persons(rows) for mart, rows in all_marts(file).items()}
        for file in (
            refreshed_small.warehouse.paths.kept_builds / f"{first}.duckdb",
            upgraded.after.warehouse.paths.published_marts,
        )
    )
    assert fresh == after
    assert len(rejected_rows(upgraded.after.warehouse.paths.published_quarantine)) == len(
        rejected_rows(refreshed_small.warehouse.paths.published_quarantine)
    )


def _without_persons(rows: list[dict[str, object]]) -> list[str]:
    impersonal_rows = (
        {name: value for name, value in row.items() if name not in MASKED_COLUMNS | HIDDEN_COLUMNS} for row in rows
    )
    return sorted(map(repr, impersonal_rows))


def test_erased_contacts_stay_erased(upgraded: Upgraded) -> None:
    marts = all_marts(upgraded.after.warehouse.paths.published_marts)
    assert ERASED not in repr(marts)


def test_the_ledger_is_migrated(upgraded: Upgraded) -> None:
    assert upgraded.ledger_before == {"0.1": 0, "0.2": 1}[upgraded.release]
    assert _version(upgraded.after.warehouse) == VERSION


def test_a_build_of_the_older_version_can_be_rolled_back_to(upgraded: Upgraded) -> None:
    left, to = stages.rollback_build(upgraded.after.warehouse, upgraded.build_before)
    assert to == upgraded.build_before
    stages.rollback_build(upgraded.after.warehouse, left)


def test_settings_under_their_old_names_are_read_with_one_warning(upgraded: Upgraded) -> None:
    assert upgraded.after.warehouse.settings.build_retention == 5
    published = upgraded.after.warehouse.paths.published_marts
    run = sendmart(upgraded.after.environment, "diff", upgraded.build_before)
    assert run.returncode == 0, run.stderr
    assert "campaign_metrics" in run.stdout
    assert run.stderr.splitlines() == [
        "Renamed settings: SENDMART_KEPT_BUILDS is now SENDMART_BUILD_RETENTION."
        " Release 0.4.0 will not read the old names."
    ]
    assert [json.loads(row["settings"])["build_retention"] for row in mart_rows(published, "build_info")] == [5]


def test_a_data_folder_of_0_2_is_read_before_the_first_refresh(upgraded_from_0_2: Upgraded) -> None:
    status, export = upgraded_from_0_2.commands_before
    assert (status.returncode, f"Published build: {upgraded_from_0_2.build_before}" in status.stdout) == (0, True)
    assert export.returncode == 0, export.stdout + export.stderr
    assert upgraded_from_0_2.databases_before == {"marts.duckdb", "quarantine.duckdb"}, (
        "commands that read move nothing"
    )


def test_the_first_refresh_moves_the_published_file_of_0_2(upgraded_from_0_2: Upgraded) -> None:
    after = upgraded_from_0_2.after
    assert after.outcome == "published", after.message
    assert "removed: " in upgraded_from_0_2.said and "; everything is built in full" in upgraded_from_0_2.said
    published = after.warehouse.paths.published_marts.parent
    assert {path.name for path in published.glob("*.duckdb")} == {"sendmart.duckdb", "quarantine.duckdb"}
    with duckdb.connect(str(published / "sendmart.duckdb"), read_only=True) as connection:
        assert connection.sql("select version from marts.build_info").fetchall() == [(sendmart_version(),)]
    rejected = sum(file.rejected for file in after.warehouse.ledger.files())
    with duckdb.connect(str(published / "quarantine.duckdb"), read_only=True) as connection:
        assert connection.sql("select count(*) from rejected_rows").fetchall() == [(rejected,)]
    assert rejected > 0


def test_the_tables_of_a_0_2_build_are_read_in_the_schemas_of_0_2(upgraded_from_0_2: Upgraded) -> None:
    """Its row digests and hourly clicks have other names: exports, diff, report pages, erasure and rollback read both."""
    old_build, context = upgraded_from_0_2.build_before, upgraded_from_0_2.after.warehouse
    exports = [
        json.loads(file.read_text()) for file in sorted((context.paths.exports / "delivery_status").glob("*.json"))
    ]
    assert (exports[0]["build_id"], exports[0]["campaigns"], "columns" in exports[0]) == (old_build, "all", False)
    assert exports[1]["changed_since"] == exports[0]["file"], (
        "files for people have headings and local times since then"
    )
    assert (len(exports), exports[1]["rows"]) == (2, exports[0]["rows"])
    old_file, new_file = (context.paths.kept_builds / f"{build}.duckdb" for build in (old_build, _published(context)))
    changes = {
        change.mart: change for change in compare(context.settings, old_file, new_file, candidate_settings={}).marts
    }
    assert changes["delivery_status"] == MartChange("delivery_status", 32, 32, 0, 0, 0, (), (), ())
    assert changes["campaign_clicks_hourly"].rows_before == 0

    clicked = mart_rows(new_file, "campaign_clicks_hourly")[0]["campaign_id"]
    charts = [_clicks_over_time(context, clicked)]
    new_build = _published(context)
    rollback = sendmart(upgraded_from_0_2.after.environment, "rollback", old_build)
    assert rollback.returncode == 0, rollback.stdout + rollback.stderr
    assert mart_rows(context.paths.published_marts, "build_info") == [upgraded_from_0_2.build_info_before]
    charts.append(_clicks_over_time(context, clicked))
    assert charts[0] == charts[1] and sum(charts[0]) > 0

    erased = mart_rows(old_file, "delivery_status")[0]["contact_id"]
    run = sendmart(upgraded_from_0_2.after.environment, "erase", "--contact", erased)
    assert run.returncode == 0, run.stdout + run.stderr
    for file in (old_file, new_file):
        assert erased not in {row["contact_id"] for row in mart_rows(file, "delivery_status")}
    stages.rollback_build(context, new_build)

    # The second night is incremental, with the ledger of 0.2.
    landing = upgraded_from_0_2.after.landing
    with environment(upgraded_from_0_2.after.environment):
        for day in (25, 26):
            (landing / "unsubscribes" / f"2026-01-{day}.csv").write_text(
                f"contact_id,unsubscribed_at\nnew-{day},2026-01-{day}T08:00:00Z\n", encoding="utf-8"
            )
            refresh_without_dagster(context)
    assert context.ledger.previous_build_of(_published(context)) is not None


def _published(context: AppContext) -> str:
    return context.ledger.last_publication()[0]


def _clicks_over_time(context: AppContext, campaign_id: str) -> list[int]:
    with PublishedDatabase(context.settings, context.paths).open() as published:
        return over_time(published, campaign_id, "UTC").clicks.series[0].counts


def test_a_column_missing_in_an_older_lake_is_null(upgraded: Upgraded) -> None:
    """As after an upgrade by which a contract gained one: every file was written without it, the empty one included."""
    warehouse = upgraded.after.warehouse
    view = "build.staging.stg_logs__sends"
    with duckdb.connect() as connection:
        connection.execute(f"attach '{warehouse.paths.build}' as build (read_only)")
        counted = connection.sql(f"select count(*), count(cost_currency) from {view}").fetchone()
        assert counted[0] > counted[1] > 0
        for file in (warehouse.paths.lake / Log.SENDS).glob("log_date=*/*.parquet"):
            rows = pq.read_table(file, partitioning=None).drop_columns(["cost_currency"])
            pq.write_table(rows, file)
            warehouse.ledger.record_files([], {file.relative_to(warehouse.paths.data): Checksum.of(file)})
        lake_tables.ensure_lake(warehouse.paths)
        assert connection.sql(f"select count(*), count(cost_currency) from {view}").fetchone() == (counted[0], 0)
    assert plan_refresh(warehouse, verify=True).files[Log.SENDS] == [], "such a file is whole"


def test_a_ledger_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    variables = environment_of(tmp_path / "data", tmp_path / "landing")
    paths = DataPaths(tmp_path / "data")
    Ledger(paths.ledger).files()
    with sqlite3.connect(paths.ledger) as connection:
        connection.execute(f"pragma user_version = {VERSION + 1}")
    before = paths.ledger.read_bytes()
    run = sendmart(variables, "refresh")
    assert run.returncode == 1
    output = run.stdout + run.stderr
    assert f"{Code.LEDGER_NEWER}: a newer version of Sendmart wrote this data folder" in output
    assert f"See {Code.LEDGER_NEWER.page}" in output
    assert "Traceback" not in output
    assert paths.ledger.read_bytes() == before


def _version(warehouse: AppContext) -> int:
    with sqlite3.connect(warehouse.paths.ledger) as connection:
        (version,) = connection.execute("pragma user_version").fetchone()
        return version
