"""A bundled case, loaded by two workers: lake, quarantine and ledger are those of one, and so are the marts, which depend on
nothing else.
"""

from functools import partial
from pathlib import Path

import pytest

from models.enums import Log
from orchestration import stages
from orchestration.stages import AppContext
from tests.loads import BYTES_PER_TEST_TASK, left_by
from tests.running import RefreshedWarehouse, environment, environment_of
from warehouse.config.settings import load_settings
from warehouse.ingest import workers
from warehouse.ingest.load import load


@pytest.mark.torture
def test_two_workers_give_the_same_lake_as_one(
    tmp_path: Path, refreshed_small: RefreshedWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = []

    def counted(job, tasks_of_load, count):
        tasks.append((count, len(tasks_of_load)))
        return stage_in_threads(job, tasks_of_load, count)

    stage_in_threads = workers._stage_in_threads
    monkeypatch.setattr(workers, "_stage_in_threads", counted)
    monkeypatch.setattr("orchestration.stages.load.load", partial(load, bytes_per_task=BYTES_PER_TEST_TASK))
    with environment(environment_of(tmp_path, refreshed_small.landing, load_workers="2", max_rejected_share="1")):
        warehouse = AppContext.of(load_settings())
        for log in Log:
            stages.load_changed(warehouse, log)
        left, expected = left_by(tmp_path), left_by(refreshed_small.warehouse.settings.data)
    assert tasks, "some logs have enough files"
    assert all(count == 2 <= tasks_of_load for count, tasks_of_load in tasks)
    for part in ("lake", "quarantine", "files", "lake_contents", "temp_files"):
        assert left[part] == expected[part]
