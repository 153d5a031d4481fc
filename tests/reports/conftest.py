"""The report pages on a real server on a local port, as `sendmart reports` serves them."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from orchestration.cli.reports import application
from orchestration.stages import AppContext
from reports.server import create_server
from sample_data import write_sample
from tests.running import RefreshedWarehouse, refreshed_once
from warehouse.config.paths import DataPaths


@dataclass(frozen=True)
class Site:
    """The pages of one data folder."""

    address: str
    paths: DataPaths
    client: httpx.Client

    def get(self, link: str, **options: Any) -> httpx.Response:
        return self.client.get(link, **options)


@contextmanager
def serving(warehouse: AppContext) -> Iterator[Site]:
    server = create_server(application(warehouse))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.02)
    address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        with httpx.Client(base_url=address, timeout=60) as client:
            yield Site(address, warehouse.paths, client)
    finally:
        server.should_exit = True
        thread.join()


def with_settings(warehouse: AppContext, **changed: Any) -> AppContext:
    """The same data folder with other settings."""
    return AppContext(warehouse.settings.model_copy(update=changed), warehouse.paths, warehouse.ledger)


@pytest.fixture(scope="session")
def refreshed_sample(tmp_path_factory: pytest.TempPathFactory) -> RefreshedWarehouse:
    """A sample like that of `make refresh`, but smaller, refreshed by the real job with insights."""
    landing = tmp_path_factory.mktemp("sample_landing")
    write_sample(landing, sends=3_000, days=4)
    return refreshed_once(tmp_path_factory, "sample", landing, insights="true")


@pytest.fixture(scope="session")
def wide(refreshed_wide: RefreshedWarehouse) -> Iterator[Site]:
    with serving(refreshed_wide.warehouse) as site:
        yield site


@pytest.fixture(scope="session")
def sample(refreshed_sample: RefreshedWarehouse) -> Iterator[Site]:
    with serving(refreshed_sample.warehouse) as site:
        yield site


@pytest.fixture(scope="session")
def insights_site(refreshed_insights: RefreshedWarehouse) -> Iterator[Site]:
    with serving(refreshed_insights.warehouse) as site:
        yield site
