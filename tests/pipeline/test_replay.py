"""`sendmart replay`: equal to a refresh of the log files of the dates, while another refresh holds the data folder."""

import gzip
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from models.enums import Log
from orchestration import stages
from orchestration.cli.main import app
from orchestration.cli.output.replay import print_replay
from orchestration.stages import AppContext
from tests.running import (
    RefreshedWarehouse,
    copy_of,
    environment,
    environment_of,
    held_by_a_refresh,
    mart_rows,
    refresh_without_dagster,
    sendmart,
)
from warehouse.config import PROJECT, Engine
from warehouse.config.settings import load_settings
from warehouse.duckdb_tools import attached, list_tables
from warehouse.lake import change_feed
from warehouse.lake import tables as lake_tables
from warehouse.landing.scan import scan
from warehouse.publish.published_file import is_file_masked
from warehouse.publish.replay import write_replay

AS_OF = date(2026, 1, 13)
OF_THE_BUILD = ("build_info", "build_identity")
"""The tables that describe the build and not its rows."""


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


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    """The files of a data folder, except those that the command may write, by their inodes and times."""
    return {
        str(file.relative_to(folder)): (file.stat().st_ino, file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file() and not file.name.endswith(".lock") and "ledger" not in file.name
    }


def drop_last_row(file: Path) -> None:
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    file.write_bytes(gzip.compress(b"".join(lines[:-1])))


def test_a_replay_equals_a_refresh_of_the_log_files_of_the_dates(
    refreshed_insights: RefreshedWarehouse, tmp_path: Path
) -> None:
    copied = copy_of(refreshed_insights, tmp_path, insights="true", max_rejected_share="1")
    warehouse, paths = copied.warehouse, copied.warehouse.paths
    replaced, in_flight = (
        next(f for f in scan(copied.landing).files if f.log == log and f.log_date < AS_OF and f.path.suffix == ".gz")
        for log in (Log.SENDS, Log.CLICKS)
    )
    drop_last_row(replaced.path)
    stages.load_changed(warehouse, Log.SENDS)
    cut(copied.landing, tmp_path / "cut", AS_OF)
    variables = environment_of(tmp_path / "of-cut", tmp_path / "cut", insights="true", max_rejected_share="1")
    with environment(variables):
        of_cut = AppContext.of(load_settings())
        refresh_without_dagster(of_cut)
    # The load of a file without rows is killed: the file of the lake is gone, and the ledger does not know.
    change_feed.record(paths, warehouse.ledger, [in_flight])
    lake_tables.path_of(paths.lake, in_flight).unlink()
    file, before = tmp_path / "as_of.duckdb", state_of(paths.data)
    with held_by_a_refresh(paths):
        run = sendmart(copied.environment, "replay", "--as-of", str(AS_OF), "--to", str(file))
    assert (run.returncode, run.stderr) == (0, "")
    replayed, refreshed = tables_of(file), tables_of(of_cut.paths.published_marts)
    assert replayed.keys() == refreshed.keys()
    assert {name for name, rows in replayed.items() if rows != refreshed[name]} == set()
    assert len(replayed["marts.campaign_metrics"]) > 40
    assert state_of(paths.data) == before, "nothing in the data folder has changed, and nothing is left there"
    (info,) = mart_rows(file, "build_info")
    assert (info["as_of"], info["data_until"]) == (AS_OF, of_cut.ledger.data_until())
    (loaded,) = (file for file in warehouse.ledger.files(Log.SENDS) if file.source_file == replaced.source_file)
    later = f"sends/{loaded.source_file}, log date {loaded.log_date}, replaced {loaded.loaded_at:%Y-%m-%d %H:%M} UTC"
    assert "that were replaced later: 1." in run.stdout and later in run.stdout
    (revenue,) = {line for line in run.stdout.splitlines() if "revenue" in line}
    total = sum(row["revenue"] for row in mart_rows(file, "campaign_metrics"))
    assert f"{total:,} USD" in revenue


def test_a_replay_has_masked_numbers_and_no_insights_if_the_settings_say_so(
    refreshed_small: RefreshedWarehouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse = copy_of(refreshed_small, tmp_path, mask_phone_numbers="true").warehouse
    settings = warehouse.settings.model_copy(update={"engine": Engine.SPARK})
    leftover = settings.scratch / "snapshots" / "killed" / "lake"
    leftover.mkdir(parents=True)
    as_of, file = warehouse.ledger.data_until(), tmp_path / "as_of.duckdb"
    print_replay(settings, as_of, write_replay(settings, warehouse.paths, warehouse.ledger, as_of, file))
    assert "Built by DuckDB" in capsys.readouterr().out
    assert not leftover.parent.exists()
    assert is_file_masked(file)
    with attached(replay=file) as connection:
        schemas = {schema for schema, _, _ in list_tables(connection, "replay")}
    assert schemas == {"marts", "internal"}


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["--as-of", "yesterday"], 2, "--as-of yesterday: must be a date, such as 2026-01-31"),
        (["--as-of", "9999-01-01"], 2, "is in the future"),
        (
            ["--as-of", "2019-01-01"],
            1,
            "No log file of 2019-01-01 or before is loaded: the first log date is 2026-01-05",
        ),
        (["--as-of", "2026-01-10", "--to", "{data}/published/mine.duckdb"], 2, "where Sendmart keeps its own files"),
        (["--as-of", "2026-01-10", "--to", "{existing}"], 2, "README.md exists. To replace it: --overwrite."),
        (["--as-of", "2026-01-10", "--to", "nowhere/mine.duckdb"], 2, "the folder nowhere does not exist"),
    ],
)
def test_what_cannot_be_replayed_is_refused_at_once(
    refreshed_small: RefreshedWarehouse, arguments: list[str], exit_code: int, message: str
) -> None:
    data = refreshed_small.warehouse.paths.data
    typed = [argument.format(data=data, existing=PROJECT / "README.md") for argument in arguments]
    with environment(refreshed_small.environment):
        run = CliRunner().invoke(app, ["replay", *typed])
    assert (run.exit_code, message in run.stderr) == (exit_code, True), run.output


def test_without_a_loaded_log_file_there_is_nothing_to_replay(tmp_path: Path) -> None:
    with environment(environment_of(tmp_path / "data", tmp_path / "landing")):
        run = CliRunner().invoke(app, ["replay", "--as-of", "2026-01-10"])
    assert (run.exit_code, "Nothing has been loaded yet" in run.stderr) == (1, True)
