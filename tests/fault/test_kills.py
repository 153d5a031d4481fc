"""A refresh killed in any stage, then repeated, gives what one that was not killed gives."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.oracle.compare import differences, read_mart
from tests.running import CASES, SENDMART, clean_environment, environment_of, mart_rows, sendmart
from warehouse.settings import PROJECT

STAGES = {
    "between two logs": "receipts:",
    "after the build": "build ",
    "after the tests": "dbt tests",
    "right after publication": "published build",
}
"""What the refresh says at the moment at which it is killed."""


def _kill_when_it_says(variables: dict[str, str], words: str) -> None:
    refresh = subprocess.Popen(
        [SENDMART, "refresh"], env=clean_environment(variables), cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    for line in refresh.stdout:
        if words in line:
            os.kill(refresh.pid, signal.SIGKILL)
            break
    refresh.stdout.close()
    assert refresh.wait() == -signal.SIGKILL, f"the refresh ended without saying {words!r}"


def test_a_refresh_killed_in_every_stage_ends_with_the_right_figures(tmp_path: Path) -> None:
    case = CASES / "small"
    variables = environment_of(tmp_path, case / "landing", max_rejected_share="1")
    published = tmp_path / "published" / "marts.duckdb"
    for stage, words in STAGES.items():
        _kill_when_it_says(variables, words)
        assert published.exists() == (stage == "right after publication")
    last = sendmart(variables, "refresh")
    assert last.returncode == 0, last.stdout + last.stderr
    for file in (case / "marts").glob("*.csv"):
        if file.stem != "rejected_rows":
            assert differences(read_mart(file), mart_rows(published, file.stem)) == []
    exported = {file.parent.name for file in (tmp_path / "exports").glob("*/*.csv")}
    assert len(exported) == 5, "what the killed refresh had not exported was exported by the next"
    leftovers = [file for file in tmp_path.rglob(".*.tmp") if "dagster" not in file.parts]
    assert leftovers == []


@pytest.mark.parametrize("folder", ["published", "lake"])
def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).write_text("a file where a folder should be")
    variables = environment_of(tmp_path, CASES / "small" / "landing", max_rejected_share="1")
    refresh = sendmart(variables, "refresh")
    assert refresh.returncode == 1
    assert folder in refresh.stdout
    assert "Traceback" not in refresh.stdout + refresh.stderr
