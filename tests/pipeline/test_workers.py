"""The bundled cases, loaded by two processes: lake, quarantine, ledger and marts are those of one."""

from functools import partial
from pathlib import Path

import pytest

from models.enums import Log
from orchestration import stages
from orchestration.stages import AppContext
from tests.fault.zones import marts_of
from tests.loads import BYTES_PER_TEST_WORKER, left_by
from tests.running import RefreshedWarehouse, environment, environment_of
from warehouse.config.settings import load_settings
from warehouse.ingest import workers
from warehouse.ingest.load import load


def test_two_workers_give_the_same_lake_and_marts_as_one_process(
    tmp_path: Path, refreshed_case: RefreshedWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = []

    def counted(job, tasks_of_load, count):
        tasks.append((count, len(tasks_of_load)))
        return stage_in_workers(job, tasks_of_load, count)

    stage_in_workers = workers._stage_in_workers
    monkeypatch.setattr(workers, "_stage_in_workers", counted)
    monkeypatch.setattr("orchestration.stages.load.load", partial(load, bytes_per_worker=BYTES_PER_TEST_WORKER))
    with environment(environment_of(tmp_path, refreshed_case.landing, load_workers="2", max_rejected_share="1")):
        warehouse = AppContext.of(load_settings())
        for log in Log:
            stages.load_changed(warehouse, log)
        left, expected = left_by(tmp_path), left_by(refreshed_case.warehouse.settings.data)
        stages.build_candidate(warehouse)
    assert tasks, "some logs have enough files"
    assert all(count == 2 <= tasks_of_load for count, tasks_of_load in tasks)
    for part in ("lake", "quarantine", "files", "lake_contents", "temp_files"):
        assert left[part] == expected[part]
    assert marts_of(warehouse.paths.candidate) == marts_of(refreshed_case.warehouse.paths.published_marts)
