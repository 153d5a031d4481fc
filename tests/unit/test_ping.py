"""The request to SENDMART_PING_URL after a refresh: when it is made, and that its failure fails nothing."""

import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from orchestration.ping import ping_after
from orchestration.stages import AppContext
from tests.running import environment, environment_of
from warehouse.config.settings import load_settings
from warehouse.ledger import Refresh, now


class Monitor(HTTPServer):
    """Counts the requests by path; answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requested: list[str] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/ping/secret"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Monitor)
        self.server.requested.append(self.path)
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    with Monitor() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def _context(folder: Path, url: str) -> AppContext:
    with environment(environment_of(folder / "data", folder / "landing", ping_url=url)):
        return AppContext.of(load_settings())


@pytest.mark.parametrize(
    ("outcome", "requests"),
    [("published", 1), ("nothing new", 1), ("held back", 0), ("failed", 0), ("interrupted", 0)],
)
def test_the_address_is_requested_after_a_good_refresh_only(
    monitor: Monitor, tmp_path: Path, outcome: str, requests: int
) -> None:
    ping_after(_context(tmp_path, monitor.url), Refresh(now(), now(), outcome, ""))
    assert monitor.requested == ["/ping/secret"] * requests


def test_a_monitor_that_fails_is_a_warning_without_the_address(
    monitor: Monitor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = Refresh(now(), now(), "published", "")
    monitor.status = 500
    with caplog.at_level(logging.WARNING, "sendmart"):
        ping_after(_context(tmp_path, monitor.url), good)
        ping_after(_context(tmp_path, "http://127.0.0.1:1/ping/secret"), good)
    assert [record.getMessage() for record in caplog.records] == [
        "SENDMART_PING_URL did not answer: HTTPError 500",
        "SENDMART_PING_URL did not answer: URLError",
    ]


def test_without_the_setting_nothing_is_requested(tmp_path: Path) -> None:
    with environment(environment_of(tmp_path / "data", tmp_path / "landing")):
        ping_after(AppContext.of(load_settings()), Refresh(now(), now(), "published", ""))
