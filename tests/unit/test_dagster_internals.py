"""How Sendmart is built on Dagster: private modules are used through the adapter only."""

import ast
import inspect
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import dagster as dg
import pytest

from orchestration import dagster_internals
from orchestration.dagster_instance import EventLogStorage, SqliteStorage
from orchestration.defs.logs import LogDates
from orchestration.run_launcher import WatchedRunLauncher
from warehouse.config.settings import PROJECT

ADAPTER = Path(dagster_internals.__file__)
PYTHON_FILES = [
    PROJECT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
]


def _imported_modules(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return names | {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}


def test_only_the_adapter_imports_private_modules_of_dagster() -> None:
    private = {
        str(file.relative_to(PROJECT)): modules
        for file in PYTHON_FILES
        if file.exists()
        and (modules := {name for name in _imported_modules(file) if name.startswith(("dagster._", "dagster_dbt._"))})
    }
    assert private.keys() == {str(ADAPTER.relative_to(PROJECT))}


def test_the_installed_dagster_is_the_release_that_the_adapter_was_checked_with() -> None:
    assert dg.__version__.startswith(f"{dagster_internals.CHECKED_WITH}."), (
        "check that the names in orchestration/dagster_internals.py still mean the same, then raise CHECKED_WITH"
    )


def test_a_new_history_is_at_the_last_migration_of_dagster(tmp_path: Path) -> None:
    for name in ("first", "second"):  # the migrations of the second are those that were read for the first
        storage = SqliteStorage(str(tmp_path / name))
        assert storage.event_log_storage.alembic_version() == storage.run_storage.alembic_version()
        current, last = storage.event_log_storage.alembic_version() or (None, "unknown")
        assert current == last


def test_the_launcher_overrides_methods_that_dagster_calls() -> None:
    for name in ("supports_check_run_worker_health", "check_run_worker_health", "_get_grpc_client_for_termination"):
        assert hasattr(dg.DefaultRunLauncher, name), name
    signature = inspect.signature(dg.DefaultRunLauncher._get_grpc_client_for_termination)
    assert list(signature.parameters) == ["self", "run_id"]
    assert WatchedRunLauncher().supports_check_run_worker_health


def test_a_step_may_report_checks_of_assets_that_it_does_not_make() -> None:
    @dg.asset
    def upstream() -> None: ...

    @dg.multi_asset(
        specs=[dg.AssetSpec("audit", deps=[upstream])],
        check_specs=[dg.AssetCheckSpec("complete", asset=upstream)],
        **dagster_internals.CHECKS_OF_OTHER_ASSETS,
    )
    def audit():
        yield dg.MaterializeResult(asset_key="audit")
        yield dg.AssetCheckResult(asset_key="upstream", check_name="complete", passed=True)

    (evaluation,) = dg.materialize([upstream, audit]).get_asset_check_evaluations()
    assert evaluation.asset_key == upstream.key


def test_the_event_log_keeps_its_connection_until_the_file_is_another_one(tmp_path: Path) -> None:
    storage = EventLogStorage(str(tmp_path / "runs"))

    def tables() -> tuple[int, list[str]]:
        with storage.index_connection() as connection:
            names = connection.exec_driver_sql("select name from sqlite_master").scalars().all()
            return id(connection.connection.dbapi_connection), list(names)

    first, names = tables()
    assert "event_logs" in names
    with storage.index_connection() as connection:
        connection.exec_driver_sql("create table of_the_first_file (id integer)")
    assert tables() == (first, [*names, "of_the_first_file"])
    shutil.rmtree(tmp_path / "runs")
    (tmp_path / "runs").mkdir()
    assert tables()[1] == names


@pytest.mark.parametrize("day", ["2019-12-30", "2019-12-31", "2020-01-01", "2022-02-28", "2024-03-01"])
def test_log_dates_are_the_daily_partitions_of_dagster(day: str) -> None:
    now = datetime.fromisoformat(f"{day}T23:59:59+00:00")
    ours, dagsters = (
        definition(start_date="2020-01-01", end_offset=1) for definition in (LogDates, dg.DailyPartitionsDefinition)
    )
    assert ours.get_partition_keys(now) == dagsters.get_partition_keys(now)
