"""Loads by several processes in which one or all are killed: all processes end, no file is partly loaded, and the repeated
load gives the same as a load that is not killed.

Not here: kills of a load by one process (`tests.fault.test_killed`).
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from models.enums import Log
from models.error_codes import Code
from orchestration.errors import Failure, failure_of
from orchestration.stages import AppContext
from tests.loads import PATIENCE_SECONDS, THREE_FILES_A_TASK, failing_at, killed_at, left_by, load_log, wait_for
from tests.running import environment, environment_of
from warehouse.config.paths import DataPaths
from warehouse.config.settings import PROJECT, load_settings
from warehouse.ingest.workers import WorkerDied
from warehouse.lake import recovery
from warehouse.landing.scan import scan
from warehouse.ledger import Ledger

LOG = Log.CLICKS
HEADER = b"click_id,contact_id,campaign_id,clicked_at,url\n"
DAYS = range(1, 29)

LOAD = """
import sys
from pathlib import Path
from models.enums import Log
from tests.loads import THREE_FILES_A_TASK, load_log, waiting

if __name__ == "__main__":
    landing, data, folder = map(Path, sys.argv[1:])
    load_log(landing, data, Log.CLICKS, 2, waiting(folder), **THREE_FILES_A_TASK)
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


def assert_gone(pids: set[int]) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while alive := {pid for pid in pids if is_alive(pid)}:
        assert time.monotonic() < give_up_at, f"{alive} are at work still"
        time.sleep(0.02)


def hears_no_interrupt(pid: int) -> bool:
    (blocked,) = re.findall(r"^SigBlk:\s*([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(int(blocked, 16) >> (signal.SIGINT - 1) & 1)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE  # nobody may be there to ask how it ended
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_the_process_that_loads(
    tmp_path: Path, landing: Path, data: Path, expected: dict[str, object], by: signal.Signals
) -> None:
    (folder := tmp_path / "at work").mkdir()
    before = left_by(data)
    loading = subprocess.Popen(
        [sys.executable, "-c", LOAD, landing, data, folder],
        cwd=PROJECT, start_new_session=True, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    loaders = wait_for(folder, 2)
    assert loading.pid not in loaders
    assert all(hears_no_interrupt(pid) for pid in loaders), "each would say so, with a trace"
    if by == signal.SIGINT:
        os.killpg(loading.pid, by)  # as a terminal does it: all of them hear of it
    else:
        loading.send_signal(by)
    _, output = loading.communicate(timeout=PATIENCE_SECONDS)
    assert loading.returncode == -by
    assert_gone(loaders)
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


def test_a_killed_worker_fails_the_load_with_the_next_step(
    tmp_path: Path, landing: Path, data: Path, expected: dict[str, object]
) -> None:
    before = left_by(data)["lake"]
    with pytest.raises(WorkerDied) as died:
        load_log(landing, data, LOG, 2, killed_at("k9"), **THREE_FILES_A_TASK)
    left = left_by(data)
    assert left["temp_files"] == []
    new = {file for file, content in left["lake"].items() if before[file] != content}
    assert not any(f"log_date=2026-01-{day}" in file for file in new for day in ("07", "08", "09")), "of one task"
    assert new <= expected["lake"].keys()
    assert all(left["lake"][file] == expected["lake"][file] for file in new), "whole"
    failure = failure_to(landing, data, died.value)
    assert (failure.code, "clicks" in failure.description) == (Code.OUT_OF_MEMORY, True)
    assert "Lower SENDMART_LOAD_WORKERS" in failure.next_step
    repeat(landing, data)
    assert files_and_rows(data) == expected


def test_an_error_in_a_worker_is_reported_like_one_in_a_single_process(landing: Path, data: Path) -> None:
    with pytest.raises(OSError) as failed:
        load_log(landing, data, LOG, 2, failing_at("k9", OSError("no such device")))
    failure = failure_to(landing, data, failed.value)
    assert (failure.code, failure.description) == (Code.UNEXPECTED, "OSError: no such device")


def failure_to(landing: Path, data: Path, error: Exception) -> Failure:
    with environment(environment_of(data, landing, load_workers="2")):
        return failure_of(error, AppContext.of(load_settings()))
