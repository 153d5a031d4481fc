"""The report pages on a real server on a local port, as `sendmart reports` serves them."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest

from orchestration.cli.reports import application
from orchestration.stages import AppContext
from reports.server import create_server
from sample_data import write_sample
from tests.running import RefreshedWarehouse, refreshed_once
from warehouse.config.paths import DataPaths
from warehouse.config.settings import Settings


@dataclass(frozen=True)
class Site:
    """The pages of one data folder."""

    address: str
    paths: DataPaths
    client: httpx.Client

    @property
    def has_insights(self) -> bool:
        return bool(self.rows("select 1 from duckdb_tables() where schema_name = 'insights'"))

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a query on the published file."""
        with duckdb.connect() as connection:
            connection.execute(f"attach '{self.paths.published_marts}' as published (read_only); use published")
            return connection.execute(query, parameters).fetchall()

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


def with_masked_build(warehouse: AppContext, folder: Path, **changed: Any) -> AppContext:
    """Another data folder with the same build, published with masked numbers."""
    paths = DataPaths(folder)
    paths.published_marts.parent.mkdir()
    shutil.copyfile(warehouse.paths.published_marts, paths.published_marts)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{paths.published_marts}' as published; use published.marts")
        for mart in ("delivery_status", "skip_reasons", "suppressed_numbers"):
            connection.execute(f"alter table {mart} add column mobile_number_hash varchar default 'hash of a number'")
            connection.execute(
                f"update {mart} set mobile_number = left(mobile_number, 3) || '…' || right(mobile_number, 2)"
            )
    return AppContext(Settings(data=folder, **changed), paths, warehouse.ledger)


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
