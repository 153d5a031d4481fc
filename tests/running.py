"""Running refreshes for tests: in this process for speed, as a process of its own where it is to be killed.

Not here: what must come out (`tests/oracle`, `tests/cases`).
"""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from filelock import FileLock

from models.enums import Log
from models.marts import CONTACT_REPORTS, dbt_marts, qualified
from orchestration import stages
from orchestration.stages import AppContext, plan_refresh
from tests.processes import run_command_line
from warehouse.config.paths import DataPaths
from warehouse.config.settings import PREFIX, load_settings
from warehouse.export import read_header
from warehouse.ledger import Refresh, now

CASES = Path(__file__).parent / "cases"
SENDMART = Path(sys.executable).parent / "sendmart"


@dataclass(frozen=True)
class RefreshedWarehouse:
    """A warehouse after a refresh, and how that ended."""

    landing: Path
    warehouse: AppContext
    outcome: str
    message: str
    environment: dict[str, str]


def environment_of(data: Path, landing: Path, **settings: str) -> dict[str, str]:
    """The variables of a refresh: where it works, and the settings by their names in lower case.

    Insights are off unless a test turns them on: a refresh takes twice as long with them. One thread is enough for the few rows
    of a test: a refresh with two takes a sixth more CPU time.
    """
    settings = {"insights": "false", "threads": "1", **settings}
    setting_variables = {f"{PREFIX}{name.upper()}": value for name, value in settings.items()}
    return {f"{PREFIX}DATA": str(data), f"{PREFIX}LANDING": str(landing), **setting_variables}


@contextmanager
def environment(variables: dict[str, str]):
    """The process's environment with these variables added, and without a DAGSTER_HOME of another warehouse."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        for name, value in variables.items():
            patch.setenv(name, value)
        yield


def refresh_in_process(data: Path, landing: Path, **settings: str) -> RefreshedWarehouse:
    """Runs the real Dagster refresh job in this process, as `sendmart refresh` does."""
    from orchestration.run_refresh import run_refresh

    variables = environment_of(data, landing, **settings)
    with environment(variables):
        warehouse = AppContext.of(load_settings())
        work = plan_refresh(warehouse)
        if work.is_empty:
            stages.publish_quarantine(warehouse)
            stages.prune_exports(warehouse)
        ended = Refresh(now(), now(), "nothing new", "") if work.is_empty else run_refresh(warehouse, work)
        return RefreshedWarehouse(landing, warehouse, ended.outcome, ended.message, variables)


def refresh_without_dagster(warehouse: AppContext, *, full_refresh: bool = False, checks: bool = False) -> None:
    """The stages of the refresh job, without the gate; the checks only if `checks`. Dagster takes half the time of a refresh."""
    for log in Log:
        stages.load_changed(warehouse, log)
    if full_refresh or not stages.is_built(warehouse):
        stages.build_candidate(warehouse, full_refresh=full_refresh)
    candidate = warehouse.ledger.candidate()
    if checks:
        stages.test_candidate(warehouse)
        stages.audit_candidate(warehouse)
    if not stages.is_published(warehouse, candidate):
        stages.publish_candidate(warehouse, candidate)
    stages.export_reports(warehouse, stages.reports_to_export(warehouse))
    stages.prune_exports(warehouse)


def refreshed_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, landing: Path, **settings: str
) -> RefreshedWarehouse:
    """A copy of a warehouse that one process of the suite refreshes, while the others wait for it."""
    own = tmp_path_factory.mktemp(name)
    data = refreshed_folder(own, name)
    ended = data.with_name(f"{data.name}.json")
    with FileLock(data.with_name(f"{data.name}.lock")):
        if not ended.exists():
            refreshed = refresh_in_process(data, landing, **settings)
            ended.write_text(json.dumps([refreshed.outcome, refreshed.message]))
    shutil.copytree(data, own, dirs_exist_ok=True)
    variables = environment_of(own, landing, **settings)
    with environment(variables):
        return RefreshedWarehouse(landing, AppContext.of(load_settings()), *json.loads(ended.read_text()), variables)


def refreshed_folder(copy: Path, name: str) -> Path:
    """The data folder that was refreshed, of a copy that `refreshed_once` has made."""
    shared = copy.parent.parent if "PYTEST_XDIST_WORKER" in os.environ else copy.parent
    return shared / f"refreshed-{name}"


def copy_of(refreshed: RefreshedWarehouse, folder: Path, **settings: str) -> RefreshedWarehouse:
    """A copy of a refreshed warehouse and its landing zone, which a test may change."""
    data, landing = folder / "data", folder / "landing"
    shutil.copytree(refreshed.warehouse.paths.data, data)
    shutil.copytree(refreshed.landing, landing)
    variables = environment_of(data, landing, **settings)
    with environment(variables):
        return RefreshedWarehouse(
            landing, AppContext.of(load_settings()), refreshed.outcome, refreshed.message, variables
        )


_HOLD = """
import sys, duckdb
from filelock import FileLock
lock, *files = sys.argv[1:]
with FileLock(lock):
    connections = [duckdb.connect(file) for file in files]
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_a_refresh(paths: DataPaths):
    """Another process holds the writer lock, and has the candidate's files open to write, as a refresh does."""
    command = [sys.executable, "-c", _HOLD, str(paths.lock), str(paths.build), str(paths.candidate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield
        process.stdin.close()


def sendmart(variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command line as a process of its own."""
    return run_command_line(clean_environment(variables), arguments)


def sendmart_killed_after(
    variables: dict[str, str], seconds: float | None, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """The same, killed after so many seconds, unless it has ended or no time is given."""
    return run_command_line(clean_environment(variables), arguments, seconds)


def clean_environment(variables: dict[str, str]) -> dict[str, str]:
    """The machine's environment without its settings, and these variables."""
    other_variables = {
        name: value for name, value in os.environ.items() if not name.startswith(PREFIX) and name != "DAGSTER_HOME"
    }
    return {**other_variables, **variables}


_sessions: dict[int, duckdb.DuckDBPyConnection] = {}
"""By process, the session that reads files."""


@contextmanager
def opened(file: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A session with a file attached as `opened`. It is kept for the next file: opening one takes longer than reading a mart."""
    if os.getpid() not in _sessions:
        _sessions[os.getpid()] = duckdb.connect(config={"threads": 1, "enable_external_file_cache": False})
    session = _sessions[os.getpid()]
    session.execute(f"attach '{file}' as opened (read_only)")
    try:
        yield session
    finally:
        session.execute("use memory")
        session.execute("detach opened")


def mart_rows(file: Path, mart: str) -> list[dict[str, Any]]:
    """The rows of a mart in a published or candidate file."""
    return _rows(file, [qualified(mart)])[0]


def all_marts(file: Path, *, insights: bool = False) -> dict[str, list[dict[str, Any]]]:
    """The rows of every mart that dbt computes, with or without the insights."""
    marts = dbt_marts(insights=insights)
    return dict(zip(marts, _rows(file, [qualified(mart) for mart in marts]), strict=True))


def beside_the_marts(file: Path) -> dict[str, list[dict[str, Any]]]:
    """The internal tables that are published for exports: the row digests of each campaign."""
    tables = [f"internal.int_{report}_row_digests" for report in CONTACT_REPORTS]
    return dict(zip(tables, _rows(file, tables), strict=True))


def write_row_digests(
    connection: duckdb.DuckDBPyConnection, database: str, release: str, headers: Mapping[str, Sequence[str]]
) -> None:
    """Writes the row digests of the contact-level marts of a database, where `release` keeps them.

    `headers` holds the columns of each report.
    """
    is_old = release == "0.2"
    schema, row_count = ("digests", "rows_of_campaign") if is_old else ("internal", "row_count")
    connection.execute(f"create schema {database}.{schema}")
    for report in CONTACT_REPORTS:
        table = f"{report}_digested" if is_old else f"int_{report}_row_digests"
        connection.execute(
            f"create table {database}.{schema}.{table} as select campaign_id, count(*) as {row_count},"
            f" cast(bit_xor(hash({', '.join(headers[report])})) as varchar) as digest"
            f" from {database}.marts.{report} group by campaign_id"
        )


def _rows(file: Path, tables: Sequence[str]) -> list[list[dict[str, Any]]]:
    """The rows of each table."""
    rows = []
    with opened(file) as session:
        for table in tables:
            cursor = session.execute(f"select * from opened.{table}")
            names = [column[0] for column in cursor.description]
            rows.append([dict(zip(names, row, strict=True)) for row in cursor.fetchall()])
    return rows


def exported_rows(paths: DataPaths, report: str) -> list[dict[str, str]]:
    """What all exports of a report come to, read in order: of a campaign the rows of the last that holds it."""
    by_campaign: dict[str, list[dict[str, str]]] = {}
    for file in sorted((paths.exports / report).glob("*.csv")):
        description = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
        rows = csv_rows(report, file.read_text(encoding="utf-8"))
        if description["campaigns"] == "all":
            by_campaign.clear()
        else:
            for campaign_id in description["campaigns"]:
                by_campaign.pop(campaign_id, None)
        for row in rows:
            by_campaign.setdefault(_campaign_of(row), []).append(row)
    return sorted((row for rows in by_campaign.values() for row in rows), key=lambda row: list(row.values()))


def csv_rows(report: str, text: str) -> list[dict[str, str]]:
    """The rows of a CSV export or download of a mart, by the names of columns, whatever its headings."""
    lines = io.StringIO(text, newline="")
    header = read_header(report, lines.readline())
    assert header, "the header of another report"
    return [dict(zip(header.columns, cells, strict=True)) for cells in csv.reader(lines, strict=True)]


def _campaign_of(row: dict[str, str]) -> str:
    # Text that begins like a formula has an apostrophe in front in a CSV for spreadsheets.
    campaign_id = row.get("campaign_id")
    return (
        campaign_id[1:]
        if campaign_id[:1] == "'" and campaign_id[1:2] in ("=", "+", "-", "@", "\t", "\r", "\n")
        else campaign_id
    )


def rejected_rows(file: Path) -> list[dict[str, Any]]:
    """The rejected rows in a published quarantine."""
    return quarantine_rows(file, "rejected_rows")


def quarantine_rows(file: Path, table: str) -> list[dict[str, Any]]:
    """The rows of a table of a published quarantine."""
    return _rows(file, [table])[0]
