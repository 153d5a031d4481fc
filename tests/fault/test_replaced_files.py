"""Refreshes that are killed while files of the landing zone are replaced, atomically and in parts, removed and dropped again.

Once the landing zone is at rest, one refresh gives what another data folder gives that loads the landing zone for the
first time, and leaves no other file behind.

Not here: kills while the landing zone is at rest (`tests.fault.test_killed`).
"""

import random
import re
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestration.stages import AppContext
from tests.fault.killing import refresh, refresh_killed_after
from tests.fault.zones import assert_whole, outcome
from tests.oracle.landing_zones import write_landing_zone
from tests.running import environment, environment_of, sendmart_killed_after
from warehouse.config.settings import load_settings
from warehouse.landing import scan as landing_scan

SEED = 16
SECONDS_BETWEEN_REPLACEMENTS = 0.2


class Replacer:
    """Replaces files of a landing zone until it is stopped: in one step, or by a writer that pauses within the file."""

    def __init__(self, landing: Path, seed: int) -> None:
        self.replacements = 0
        self._contents = {file.path: file.path.read_bytes() for file in landing_scan.scan(landing).files}
        self._rng = random.Random(seed)
        self._is_stopped = threading.Event()
        self._threads = ThreadPoolExecutor(1)

    def __enter__(self) -> "Replacer":
        self._run = self._threads.submit(self._replace_until_stopped)
        return self

    def __exit__(self, *_: object) -> None:
        """Stops, and drops again what is missing."""
        self._is_stopped.set()
        self._run.result()
        self._threads.shutdown()
        for path in self._contents:
            if not path.exists():
                path.write_bytes(self._content(path))

    def _replace_until_stopped(self) -> None:
        kinds = (self._replace_at_once, self._write_in_parts, self._remove)
        while not self._is_stopped.wait(self._rng.uniform(0, SECONDS_BETWEEN_REPLACEMENTS)):
            path = self._rng.choice(list(self._contents))
            self._rng.choices(kinds, weights=(4, 4, 1))[0](path)
            self.replacements += 1

    def _content(self, path: Path) -> bytes:
        """All of the file, none of it, or its first lines where it is text."""
        whole = self._contents[path]
        if path.suffix in (".csv", ".jsonl") and self._rng.random() < 0.5:
            lines = whole.splitlines(keepends=True)
            return b"".join(lines[: self._rng.randint(0, len(lines))])
        return b"" if self._rng.random() < 0.2 else whole

    def _replace_at_once(self, path: Path) -> None:
        temp_path = path.with_name(f".{path.name}.tmp")
        temp_path.write_bytes(self._content(path))
        temp_path.replace(path)

    def _write_in_parts(self, path: Path) -> None:
        content = self._content(path)
        with path.open("wb") as file:
            for start in range(0, len(content), len(content) // 3 + 1):
                file.write(content[start : start + len(content) // 3 + 1])
                file.flush()
                time.sleep(self._rng.uniform(0, 0.1))

    def _remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)


def _file_names(data: Path) -> set[str]:
    """The files of a data folder, but Dagster's, dbt's (only the command runs dbt tests), and those of each build."""
    each_build = re.compile(
        r"dagster/|exports/|warehouse/dbt/|"
        r"published/(builds|audits)/[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}\.(duckdb|html)$"
    )
    files = (file.relative_to(data).as_posix() for file in data.rglob("*") if file.is_file())
    return {name for name in files if not each_build.match(name)}


def _refresh_by_stages(variables: dict[str, str], seconds: float | None) -> bool:
    with environment(variables):
        return refresh_killed_after(AppContext.of(load_settings()), seconds)


def _refresh_by_command(variables: dict[str, str], seconds: float | None) -> bool:
    run = sendmart_killed_after(variables, seconds, "refresh")
    assert "unexpected" not in run.stdout + run.stderr
    return run.returncode == -signal.SIGKILL


def _seconds_of(refresh_for: Callable[[dict[str, str], float | None], bool], variables: dict[str, str]) -> float:
    """Refreshes to the end, and gives how long that took."""
    started = time.perf_counter()
    assert not refresh_for(variables, None)
    return time.perf_counter() - started


@pytest.mark.parametrize(
    ("rounds", "refresh_for"),
    [(2, _refresh_by_stages), pytest.param(100, _refresh_by_command, marks=pytest.mark.torture)],
)
def test_refreshes_killed_while_files_are_replaced_end_with_the_right_figures(
    tmp_path: Path, rounds: int, refresh_for: Callable[[dict[str, str], float | None], bool]
) -> None:
    landing, data, other_data = tmp_path / "landing", tmp_path / "data", tmp_path / "other"
    write_landing_zone(landing, SEED, stories=40, fault_share=0.3)
    variables = environment_of(data, landing, max_rejected_share="1")
    rng, kills, seconds = random.Random(SEED), 0, _seconds_of(refresh_for, variables)
    with Replacer(landing, SEED) as replacer:
        for _ in range(4 * rounds):
            if kills == rounds:
                break
            started = time.perf_counter()
            if refresh_for(variables, rng.uniform(0, seconds)):
                kills += 1
            else:
                seconds = time.perf_counter() - started
            with environment(variables):
                assert_whole(AppContext.of(load_settings()))
    assert kills == rounds
    assert replacer.replacements > rounds

    outcomes = []
    for folder in (data, other_data):
        with environment(environment_of(folder, landing, max_rejected_share="1")):
            warehouse = AppContext.of(load_settings())
            with warehouse.paths.writer_lock(timeout=0):
                refresh(warehouse)
            outcomes.append(outcome(warehouse))
    assert [part for part in outcomes[1] if outcomes[0][part] != outcomes[1][part]] == []
    assert _file_names(data) == _file_names(other_data)
    assert list(data.rglob("*.tmp")) == []
