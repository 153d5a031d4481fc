"""dbt at the prompt: the commands as somebody types them, and what a refresh makes of a run on its own files.

Each command is a process in `dbt_project/`. Everything it writes goes to a data folder of the test, but for dbt's own
`target/` and `logs/`, which git ignores.
"""

import hashlib
import json
import logging
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from models.marts import BASE_MARTS
from orchestration import stages
from tests.oracle.admission import read_landing
from tests.oracle.compare import differences
from tests.oracle.marts import compute
from tests.processes import run_command_line
from tests.running import (
    CASES,
    RefreshedWarehouse,
    all_marts,
    clean_environment,
    copy_of,
    environment,
    mart_rows,
    refresh_in_process,
    refreshed_once,
)
from warehouse.config.paths import DataPaths
from warehouse.transform.candidate import CandidateDamaged, identity_mismatch
from warehouse.transform.dbt_runner import DBT_PROJECT

COMMANDS = (
    "dbt build",
    "dbt run",
    "dbt test",
    "dbt build --select campaign_metrics+",
    "dbt build --full-refresh",
    "dbt docs generate",
)


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> RefreshedWarehouse:
    """The small case, in a data folder and a landing zone of this module."""
    small = refreshed_once(tmp_path_factory, "small", CASES / "small" / "landing", max_rejected_share="1")
    return copy_of(small, tmp_path_factory.mktemp("by_hand"), max_rejected_share="1")


@pytest.fixture(scope="module")
def dbt_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Folders for what dbt writes beside its databases, in place of `target/` and `logs/` of the checkout."""
    folder = tmp_path_factory.mktemp("dbt")
    yield {"DBT_TARGET_PATH": str(folder / "target"), "DBT_LOG_PATH": str(folder / "logs")}


def type_in(command: str, data: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in `dbt_project/`."""
    program, *arguments = shlex.split(command)
    environment = clean_environment({"SENDMART_DBT_DATA": str(data), **variables})
    return run_command_line(environment, tuple(arguments), program=program, folder=DBT_PROJECT)


def marts_in(file: Path) -> dict[str, list[str]]:
    """The rows of every mart, in any order."""
    return {mart: sorted(map(repr, rows)) for mart, rows in all_marts(file).items()}


def product_files(paths: DataPaths) -> dict[str, str]:
    """The SHA-256 of every file of the data folder, but for those of dbt at the prompt."""
    files = (
        file for file in paths.data.rglob("*") if file.is_file() and file.relative_to(paths.data).parts[0] != "dev"
    )
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_the_commands_are_those_of_the_readme() -> None:
    readme = (DBT_PROJECT / "README.md").read_text(encoding="utf-8")
    assert tuple(dict.fromkeys(re.findall(r"^dbt .*$|(?<=`)dbt [a-z][^`]*(?=`)", readme, re.MULTILINE))) == COMMANDS


@pytest.mark.parametrize(
    "commands",
    [
        pytest.param(COMMANDS, id="once"),
        pytest.param(COMMANDS * 2, id="twice", marks=pytest.mark.torture),
    ],
)
def test_dbt_commands_work_as_typed(
    refreshed: RefreshedWarehouse, dbt_folders: dict[str, str], commands: tuple[str, ...]
) -> None:
    paths = refreshed.warehouse.paths
    before = product_files(paths)
    for command in commands:
        # What `dbt build` and `dbt test` have tested need not be tested again.
        untested = {"DBT_EXCLUDE_RESOURCE_TYPES": "unit_test test"} if "build --" in command else {}
        run = type_in(command, paths.data, **dbt_folders, **untested)
        assert run.returncode == 0, f"{command}\n{run.stdout}"
        if command == "dbt test":
            unit_tests = re.search(r"Finished running .* (\d+) unit tests", run.stdout)
            assert unit_tests and int(unit_tests[1]) > 10
    assert product_files(paths) == before
    assert marts_in(paths.data / "dev" / "candidate.duckdb") == marts_in(paths.candidate)


def test_a_run_after_a_change_of_the_lake_builds_in_full(
    refreshed: RefreshedWarehouse, dbt_folders: dict[str, str], tmp_path: Path
) -> None:
    lake, clicks = tmp_path / "lake", tmp_path / "clicks"
    shutil.copytree(refreshed.warehouse.paths.lake, lake)
    clicks.mkdir()
    for day in lake.glob("clicks/log_date=2026-*"):
        day.rename(clicks / day.name)
    run = type_in("dbt run", tmp_path, **dbt_folders)
    assert run.returncode == 0, run.stdout
    candidate = tmp_path / "dev" / "candidate.duckdb"
    assert mart_rows(candidate, "campaign_clicks_hourly") == []
    shutil.copytree(clicks, lake / "clicks", dirs_exist_ok=True)
    run = type_in("dbt run", tmp_path, **dbt_folders)
    assert "The lake has changed since the last run" in run.stdout
    assert marts_in(candidate) == marts_in(refreshed.warehouse.paths.candidate)


def test_without_a_lake_one_line_says_what_to_type(dbt_folders: dict[str, str], tmp_path: Path) -> None:
    run = type_in("dbt build", tmp_path, **dbt_folders)
    assert run.returncode != 0
    lines = [line.strip() for line in run.stdout.splitlines() if "make refresh" in line]
    assert lines == [f"There is no lake at {tmp_path}/lake. Run `make refresh` first."]
    assert "SKIP" not in run.stdout


def test_tests_before_any_build_say_what_to_type(
    refreshed: RefreshedWarehouse, dbt_folders: dict[str, str], tmp_path: Path
) -> None:
    shutil.copytree(refreshed.warehouse.paths.lake, tmp_path / "lake")
    run = type_in("dbt test", tmp_path, **dbt_folders)
    assert run.returncode != 0
    assert "yet. Run `dbt build` first." in run.stdout
    assert "SKIP" not in run.stdout


def test_a_refresh_after_a_dbt_run_on_its_own_files_builds_in_full(
    refreshed: RefreshedWarehouse, dbt_folders: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """With another conversion window, as somebody may try it: figures of one setting must not be published as another's."""
    paths, landing = refreshed.warehouse.paths, refreshed.landing
    run = type_in(
        """dbt run --target duckdb --full-refresh --vars '{"conversion_window_hours": 1}'""",
        paths.data,
        SENDMART_DBT_BUILD=str(paths.build),
        SENDMART_DBT_CANDIDATE=str(paths.candidate),
        **dbt_folders,
    )
    assert run.returncode == 0, run.stdout
    revenue = sum(row["revenue"] for row in mart_rows(paths.candidate, "campaign_metrics"))
    last_build = refreshed.warehouse.ledger.last_build().build_id
    (landing / "unsubscribes" / "2026-01-25.csv").write_text(
        "contact_id,unsubscribed_at\nsomebody-new,2026-01-25T08:00:00Z\n", encoding="utf-8"
    )
    with caplog.at_level(logging.INFO):
        again = refresh_in_process(paths.data, landing, max_rejected_share="1")
    assert again.outcome == "published", again.message
    reasons = [message.rpartition(" - ")[2] for message in caplog.messages if "everything is built in full" in message]
    assert reasons == [
        f"{paths.build} has changed since build {last_build}: another dbt run has written to it:"
        " everything is built in full"
    ]
    expected = compute(read_landing(landing).rows)
    assert expected["campaign_metrics"] != []
    differing = {mart: differences(expected[mart], mart_rows(paths.published_marts, mart)) for mart in BASE_MARTS}
    assert {mart: messages for mart, messages in differing.items() if messages} == {}
    assert sum(row["revenue"] for row in expected["campaign_metrics"]) != revenue, "one hour gives other figures"
    (info,) = mart_rows(paths.published_marts, "build_info")
    assert json.loads(info["settings"])["conversion_window_hours"] == 120


@pytest.mark.parametrize("file", ["build", "candidate"])
def test_a_file_of_another_build_is_not_gone_on_from(
    refreshed: RefreshedWarehouse, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As after a copy of one of the two files was put back."""
    context = refreshed.warehouse
    path = getattr(context.paths, file)
    assert identity_mismatch(context.paths, context.ledger) is None
    with duckdb.connect(str(path)) as connection:
        connection.execute("update internal.build_identity set build_id = 'another'")
    with environment(refreshed.environment), caplog.at_level(logging.INFO):
        assert not stages.is_built(context)
        stages.build_candidate(context)
    assert f"{path} holds build another, and the last build is" in caplog.text
    assert identity_mismatch(context.paths, context.ledger) is None
    assert stages.is_built(context)


def test_a_candidate_that_another_dbt_run_has_written_to_is_not_published(refreshed: RefreshedWarehouse) -> None:
    context = refreshed.warehouse
    candidate = context.ledger.candidate()
    with duckdb.connect(str(context.paths.candidate)) as connection:
        connection.execute("drop table internal.build_identity")
    with environment(refreshed.environment), pytest.raises(CandidateDamaged, match="another dbt run has written to it"):
        stages.publish_candidate(context, candidate)
    assert context.ledger.candidate() is None
