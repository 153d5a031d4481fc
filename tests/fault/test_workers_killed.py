"""Loads by several workers that are killed, interrupted or fail: no file is partly loaded, and the repeated load gives the
same as a load that is left alone.

Not here: kills of a load by one worker (`tests.fault.test_killed`).
"""

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from models.enums import Log
from models.error_codes import Code
from orchestration.errors import Failure, failure_of
from orchestration.stages import AppContext
from quality.admission import validate
from tests.loads import BYTES_PER_TEST_TASK, PATIENCE_SECONDS, failing_at, left_by, load_log, wait_for
from tests.running import environment, environment_of
from warehouse.config.paths import DataPaths
from warehouse.config.settings import PROJECT, load_settings
from warehouse.ingest.staging import StagingJob
from warehouse.ingest.workers import stage_files
from warehouse.lake import recovery
from warehouse.landing.scan import scan
from warehouse.ledger import Ledger

LOG = Log.CLICKS
HEADER = b"click_id,contact_id,campaign_id,clicked_at,url\n"
DAYS = range(1, 29)

LOAD = """
import signal, sys
from pathlib import Path
from models.enums import Log
from tests.loads import THREE_FILES_A_TASK, load_log, waiting

landing, data, folder, go_on = map(Path, sys.argv[1:])

def interrupt(*_):
    go_on.touch()
    raise KeyboardInterrupt

signal.signal(signal.SIGINT, interrupt)
load_log(landing, data, Log.CLICKS, 2, waiting(folder, go_on), **THREE_FILES_A_TASK)
"""


def content(day: int, of: str = "") -> bytes:
    rows = [f"{of}{day}-{number},k{day},c1,2026-01-{day:02}T12:00,\n".encode() for number in range(50)]
    return HEADER + b"".join(rows) + b"x,,,yesterday,\n"


def drop(landing: Path, of: str = "") -> None:
    (landing / LOG).mkdir(parents=True, exist_ok=True)
    for day in DAYS:
        (landing / LOG / f"2026-01-{day:02}.csv").write_bytes(content(day, of))


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """A landing zone of which every file has other content than when it was taken into `data`."""
    drop(tmp_path / "landing")
    load_log(tmp_path / "landing", tmp_path / "data", LOG, 1)
    drop(tmp_path / "landing", "new-")
    return tmp_path / "landing"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def expected(tmp_path: Path, landing: Path) -> dict[str, object]:
    """What a load that is left alone leaves of the files and their rows."""
    load_log(landing, tmp_path / "left alone", LOG, 1)
    return files_and_rows(tmp_path / "left alone")


def files_and_rows(data: Path) -> dict[str, object]:
    left = left_by(data)
    return {part: left[part] for part in ("lake", "quarantine", "files", "lake_contents", "temp_files")}


def repeat(landing: Path, data: Path) -> None:
    paths = DataPaths(data)
    ledger = Ledger(paths.ledger)
    recovery.recover(paths, ledger, LOG, scan(landing).files_of(LOG))
    load_log(landing, data, LOG, 1)


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_load_that_ends_while_its_workers_are_busy_leaves_no_file_partly_loaded(
    tmp_path: Path, landing: Path, data: Path, expected: dict[str, object], by: signal.Signals
) -> None:
    (folder := tmp_path / "at work").mkdir()
    before = left_by(data)
    loading = subprocess.Popen(
        [sys.executable, "-c", LOAD, landing, data, folder, tmp_path / "go on"],
        cwd=PROJECT, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for(folder, 2)
    loading.send_signal(by)
    _, output = loading.communicate(timeout=PATIENCE_SECONDS)
    assert loading.returncode == -by
    left = left_by(data)
    assert (left["lake"], left["quarantine"]) == (before["lake"], before["quarantine"])
    if by == signal.SIGINT:
        assert output.count("KeyboardInterrupt") == 1, output
        assert left["temp_files"] == []
    else:
        assert "Traceback" not in output
        assert left["temp_files"], "something was being written"
    repeat(landing, data)
    assert files_and_rows(data) == expected


def test_a_caller_that_stops_early_leaves_no_temporary_file(tmp_path: Path, landing: Path, data: Path) -> None:
    job = StagingJob(DataPaths(data), validate)
    with closing(stage_files(job, scan(landing).files_of(LOG), 2, BYTES_PER_TEST_TASK)) as batches:
        assert next(batches).files
    # The caller discards what it was given.
    assert len(left_by(data)["temp_files"]) == 2, "accepted and rejected rows of one file"


def test_an_error_in_a_worker_is_reported_like_one_in_a_single_process(landing: Path, data: Path) -> None:
    with pytest.raises(OSError) as failed:
        load_log(landing, data, LOG, 2, failing_at("k9", OSError("no such device")))
    failure = failure_to(landing, data, failed.value)
    assert (failure.code, failure.description) == (Code.UNEXPECTED, "OSError: no such device")


def failure_to(landing: Path, data: Path, error: Exception) -> Failure:
    with environment(environment_of(data, landing, load_workers="2")):
        return failure_of(error, AppContext.of(load_settings()))
