"""Interrupted refreshes are reported and completed by the next refresh: kills in every stage, folders without permission."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.interruption import ends_on_signal
from tests.oracle.compare import differences, read_mart
from tests.processes import run_command_line
from tests.running import (
    CASES,
    SENDMART,
    RefreshedWarehouse,
    clean_environment,
    copy_of,
    environment_of,
    held_by_a_refresh,
    mart_rows,
    sendmart,
)
from warehouse.config.settings import PROJECT
from warehouse.export import REPORTS

STAGES = {
    "between two logs": "receipts:",
    "after the build": "build ",
    "after the tests": "dbt tests",
    "right after publication": "published build",
}
"""What the refresh says at the moment at which it is killed."""


def _kill_when_it_says(variables: dict[str, str], message: str) -> None:
    refresh = subprocess.Popen(
        [SENDMART, "refresh"], env=clean_environment(variables), cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    for line in refresh.stdout:
        if message in line:
            os.kill(refresh.pid, signal.SIGKILL)
            break
    refresh.stdout.close()
    assert refresh.wait() == -signal.SIGKILL, f"the refresh ended without saying {message!r}"


# The same stages are killed within one process in test_killed: here the program itself is.
@pytest.mark.torture
def test_refreshes_killed_in_every_stage_end_with_the_right_figures(tmp_path: Path) -> None:
    case = CASES / "small"
    variables = environment_of(tmp_path, case / "landing", max_rejected_share="1")
    published = tmp_path / "published" / "sendmart.duckdb"
    for stage, message in STAGES.items():
        _kill_when_it_says(variables, message)
        assert published.exists() == (stage == "right after publication")
    last = sendmart(variables, "refresh")
    assert last.returncode == 0, last.stdout + last.stderr
    for file in (case / "marts").glob("*.csv"):
        if file.stem not in ("rejected_rows", "key_conflicts"):
            assert differences(read_mart(file), mart_rows(published, file.stem)) == []
    exported = {file.parent.name for file in (tmp_path / "exports").glob("*/*.csv")}
    assert len(exported) == 5, "what the killed refresh had not exported was exported by the next"
    leftovers = [file for file in tmp_path.rglob(".*.tmp") if "dagster" not in file.parts]
    assert leftovers == []


def test_a_refresh_that_is_interrupted_while_dbt_builds_says_so(tmp_path: Path) -> None:
    variables = environment_of(tmp_path, CASES / "small" / "landing", max_rejected_share="1")
    interrupted_at = "the checksums of the lake were verified"
    refresh = run_command_line(clean_environment(variables), ("refresh",), interrupt_at=interrupted_at)
    assert refresh.returncode == 128 + signal.SIGTERM
    assert interrupted_at in refresh.stdout
    assert "interrupted; what was published is untouched. Next: sendmart refresh" in refresh.stdout.splitlines()[-1]
    assert refresh.stderr == ""
    status = sendmart(variables, "status")
    assert ": interrupted\n  interrupted; what was published is untouched." in status.stdout


@pytest.mark.parametrize("folder", ["lake"])
def test_a_folder_without_write_permission_gives_one_clear_line(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).write_text("a file where a folder should be")
    variables = environment_of(tmp_path, CASES / "small" / "landing", max_rejected_share="1")
    refresh = sendmart(variables, "refresh")
    assert refresh.returncode == 1
    assert folder in refresh.stdout
    assert "Traceback" not in refresh.stdout + refresh.stderr


def test_a_failed_export_and_a_failed_publication_are_reported_differently(
    refreshed_small: RefreshedWarehouse, tmp_path: Path
) -> None:
    copy = copy_of(refreshed_small, tmp_path, max_rejected_share="1")
    paths, variables = copy.warehouse.paths, copy.environment
    for folder in (paths.exports, paths.published):
        shutil.rmtree(folder)
    paths.exports.mkdir()
    (paths.exports / "delivery_status").write_text("a file where a folder should be")
    failed = sendmart(variables, "refresh")
    assert failed.returncode == 1
    assert paths.published_marts.exists()
    last_lines = "\n".join(failed.stdout.splitlines()[-4:])
    assert "FAILED: the refresh did not finish. The new build was published" in last_lines
    assert "delivery_status" in last_lines

    (paths.exports / "delivery_status").unlink()
    mended = sendmart(variables, "refresh")
    assert mended.returncode == 0
    assert {file.parent.name for file in paths.exports.glob("*/*.csv")} == set(REPORTS)


def test_an_interrupted_first_sample_is_written_again(tmp_path: Path) -> None:
    """`--first-run` writes to the default landing zone only, so the project is copied to have one of its own."""
    project = tmp_path / "project"
    for package in ("models", "quality", "warehouse", "orchestration"):
        shutil.copytree(PROJECT / package, project / package, ignore=shutil.ignore_patterns("__pycache__"))
    half = project / "data" / ".landing.tmp" / "sends"
    half.mkdir(parents=True)
    (half / "2026-01-01.csv.gz").write_bytes(b"half of it")
    command = [sys.executable, "-m", "orchestration.cli.main", "sample", "--first-run"]
    run = subprocess.run(command, env=clean_environment({}), cwd=project, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert len(list((project / "data" / "landing").rglob("20??-*.*"))) == 7 * 45, "seven logs on 45 days"
    assert not half.exists()


NEVER_ENDING = """
import duckdb, multiprocessing
from orchestration.interruption import ends_on_signal
with ends_on_signal(lambda: print("last words", flush=True)):
    semaphore = multiprocessing.get_context("spawn").Semaphore()  # such as dbt has
    print("begun", flush=True)
    duckdb.sql("select count(*) from range(1_000_000) as a, range(1_000_000) as b, range(1_000_000) as c").fetchall()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_query_that_would_take_years(number: signal.Signals) -> None:
    command = [sys.executable, "-c", NEVER_ENDING]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (128 + number, "last words\n", "")


def test_a_refresh_that_waits_for_another_is_interrupted_without_a_record(
    refreshed_small: RefreshedWarehouse, tmp_path: Path
) -> None:
    copy = copy_of(refreshed_small, tmp_path)
    before = copy.warehouse.ledger.last_refresh()
    with held_by_a_refresh(copy.warehouse.paths):
        waiting = run_command_line(clean_environment(copy.environment), ("refresh",), interrupt_at="Waiting for it")
    assert waiting.returncode == 128 + signal.SIGTERM
    assert "interrupted; what was published is untouched" in waiting.stdout.splitlines()[-1]
    assert copy.warehouse.ledger.last_refresh() == before


def test_after_the_block_a_signal_does_what_it_did_before() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with ends_on_signal(lambda: None):
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert signal.set_wakeup_fd(-1) == -1
