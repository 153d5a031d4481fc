"""What all tests share: a clean environment, and warehouses that were refreshed once for the whole session.

A refresh takes seconds. Tests that only read a published build share one of these warehouses.
"""

import gc
import os
import shutil
import tempfile
from pathlib import Path

import pytest

# Before anything imports polars. To share the few rows of a test among threads takes longer than the work.
os.environ.setdefault("POLARS_MAX_THREADS", "1")
# pandera imports Hypothesis, where it is installed. Hypothesis imports trio, whose plugin collects all garbage.
os.environ.setdefault("HYPOTHESIS_NO_PLUGINS", "1")

import tests.examples  # noqa: F401  registers the profile of `make torture`
from tests.cheaper_dbt import make_dbt_cheaper
from tests.running import CASES, RefreshedWarehouse, refreshed_once
from warehouse.config import settings

LONGEST_FIRST = ("spark", "upgrade", "fault", "property", "pipeline", "reports", "unit")
"""The folders of the tests."""

MEMORY = Path("/dev/shm")
COLLECTIONS = (1_000_000, 10, 10)
"""Thresholds of the garbage collector, which otherwise takes a quarter of the CPU time of a dbt build: it looks through the
many objects of dbt and Dagster again and again.
"""

ENOUGH_MEMORY = 8 << 30
"""Bytes; all that the suite writes is a quarter of it."""


def pytest_configure() -> None:
    """Whatever tests write is written through to the disk, hundreds of times: in memory, where there is room, that costs
    nothing. Neither the machine's environment nor a developer's `.env` may have a part in it.
    """
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH_MEMORY:
        os.environ.setdefault("TMPDIR", str(MEMORY))
        tempfile.tempdir = None  # looked up anew
    gc.set_threshold(*COLLECTIONS)
    make_dbt_cheaper()
    for name in list(os.environ):
        if name.startswith(settings.PREFIX) or name == "DAGSTER_HOME":
            del os.environ[name]
    settings.DOTENV = Path(os.devnull)


def pytest_collection_finish() -> None:
    """Modules and collected tests last as long as the process: no collection of garbage needs to look through them."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The folders with the longest tests come first, so that the two processes of `make test` end at about the same time."""
    items.sort(key=lambda item: LONGEST_FIRST.index(item.path.parent.name))


def _refreshed(case: str, tmp_path_factory: pytest.TempPathFactory, **settings: str) -> RefreshedWarehouse:
    return refreshed_once(tmp_path_factory, case, CASES / case / "landing", max_rejected_share="1", **settings)


@pytest.fixture(scope="session")
def refreshed_small(tmp_path_factory: pytest.TempPathFactory) -> RefreshedWarehouse:
    """The small case, refreshed by the real job."""
    return _refreshed("small", tmp_path_factory)


@pytest.fixture(scope="session")
def refreshed_wide(tmp_path_factory: pytest.TempPathFactory) -> RefreshedWarehouse:
    """The wide case, refreshed by the real job."""
    return _refreshed("wide", tmp_path_factory)


@pytest.fixture(scope="session")
def refreshed_insights(tmp_path_factory: pytest.TempPathFactory) -> RefreshedWarehouse:
    """The case of the insights, refreshed by the real job with insights."""
    return _refreshed("insights", tmp_path_factory, insights="true")


@pytest.fixture(params=["small", "wide", "insights"])
def refreshed_case(request: pytest.FixtureRequest) -> RefreshedWarehouse:
    """Each of the cases in turn."""
    return request.getfixturevalue(f"refreshed_{request.param}")
