"""`sendmart replay`: equal to a refresh of the log files of the dates, while another refresh holds the data folder."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from models.enums import Log
from orchestration import stages
from orchestration.cli.main import app
from orchestration.stages import AppContext
from tests.running import RefreshedWarehouse, copy_of, environment, environment_of, refresh_without_dagster
from warehouse.config.paths import DataPaths
from warehouse.config.settings import load_settings
from warehouse.duckdb_tools import attached, list_tables
from warehouse.lake import change_feed
from warehouse.landing.scan import scan

AS_OF = date(2026, 1, 13)
OF_THE_BUILD = ("build_info", "build_identity")
"""The tables that describe the build and not its rows."""

HOLD = """
import sys, duckdb
from filelock import FileLock
lock, *files = sys.argv[1:]
with FileLock(lock):
    connections = [duckdb.connect(file) for file in files]
    print("held", flush=True)
    sys.stdin.read()
"""


def tables_of(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of every table of a published file, sorted, each with the names of its columns first."""
    with attached(published=file) as connection:
        return {
            f"{schema}.{table}": [
                tuple(name for name, *_ in connection.execute(f'describe published."{schema}"."{table}"').fetchall()),
                *sorted(connection.execute(f'from published."{schema}"."{table}"').fetchall(), key=repr),
            ]
            for schema, table, _ in list_tables(connection, "published")
            if table not in OF_THE_BUILD
        }


def cut(landing: Path, to: Path, until: date) -> None:
    """Copies the log files of the dates up to a day."""
    for file in scan(landing).files:
        if file.log_date <= until:
            (to / file.path_in_landing).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.path, to / file.path_in_landing)


@contextmanager
def held(paths: DataPaths) -> Iterator[None]:
    """Another process that holds the writer lock, and the candidate's files open to write, as a refresh does."""
    command = [sys.executable, "-c", HOLD, str(paths.lock), str(paths.build), str(paths.candidate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "held\n"
        yield
        writer.stdin.close()


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    """The files of a data folder, except those that the command may write, by their inodes and times."""
    return {
        str(file.relative_to(folder)): (file.stat().st_ino, file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file() and file.suffix != ".lock" and "ledger" not in file.name
    }


def test_a_replay_equals_a_refresh_of_the_log_files_of_the_dates(
    refreshed_insights: RefreshedWarehouse, tmp_path: Path
) -> None:
    copied = copy_of(refreshed_insights, tmp_path, insights="true", max_rejected_share="1")
    warehouse = copied.warehouse
    # One file of the dates gets another content; the load of a second one is killed before its new file moves.
    replaced, in_flight = (
        next(f for f in scan(copied.landing).files if f.log == log and f.log_date < AS_OF and f.path.suffix == ".gz")
        for log in (Log.SENDS, Log.CLICKS)
    )
    replaced.path.write_bytes(b"")
    replaced.path.write_bytes(
        next(f for f in scan(refreshed_insights.landing).files if f == replaced).path.read_bytes()
    )
    replaced.path.unlink()
    shutil.copyfile(copied.landing / replaced.path_in_landing, replaced.path)
    stages.load_changed(warehouse, Log.SENDS)
    change_feed.record(warehouse.paths, warehouse.ledger, [in_flight])
    cut(copied.landing, tmp_path / "cut", AS_OF)
    variables = environment_of(tmp_path / "of-cut", tmp_path / "cut", insights="true", max_rejected_share="1")
    with environment(variables):
        of_cut = AppContext.of(load_settings())
        refresh_without_dagster(of_cut)
    file, before = tmp_path / "as-of.duckdb", state_of(warehouse.paths.data)
    with environment(copied.environment), held(warehouse.paths):
        run = CliRunner().invoke(app, ["replay", "--as-of", str(AS_OF), "--to", str(file)])
    assert run.exit_code == 0, run.output
    replayed, refreshed = tables_of(file), tables_of(of_cut.paths.published_marts)
    assert replayed.keys() == refreshed.keys()
    assert {name for name, rows in replayed.items() if rows != refreshed[name]} == set()
    assert state_of(warehouse.paths.data) == before, "nothing is left in the data folder, and nothing has changed"
