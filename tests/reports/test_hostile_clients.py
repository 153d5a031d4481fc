"""Clients that send too much, too slowly or too often, that have no token, or that name another host."""

import base64
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from orchestration.stages import AppContext
from reports import server
from tests.reports.conftest import Site, serving
from tests.running import sendmart
from warehouse.config.settings import Settings

TOKEN = "a-token-of-this-test"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Pages of an empty data folder, with short time limits and few connections."""
    monkeypatch.setattr(server, "REQUEST_SECONDS", 0.5)
    monkeypatch.setattr(server, "CONNECTIONS", 10)
    with serving(AppContext.of(Settings(data=tmp_path, landing=tmp_path))) as site:
        yield site


def _connect(site: Site) -> socket.socket:
    url = httpx.URL(site.address)
    return socket.create_connection((url.host, url.port), timeout=30)


def _send_until_closed(connection: socket.socket, block: bytes, limit: int, pause: float = 0) -> int:
    """Sends a block again and again until the server closes the connection, and returns the number of bytes taken."""
    taken = 0
    while taken < limit:
        try:
            taken += connection.send(block)
        except OSError:
            break
        time.sleep(pause)
    return taken


def _is_served(site: Site) -> bool:
    return site.client.get("/static/css/base.css").status_code == 200


def test_endless_headers_are_refused(site: Site) -> None:
    with _connect(site) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        assert _send_until_closed(connection, b"X-Filler: " + b"x" * 8000 + b"\r\n", 64 << 20) < 16 << 20
    with _connect(site) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * (server.HEADER_BYTES + 1))
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
    assert _is_served(site)


@pytest.mark.parametrize(
    ("start", "drip"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nHost: loc", b""),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X-A: b\r\n"),
        (b"POST /exports HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n", b"a"),
        (b"GET /static/css/base.css HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n", b"a"),
    ],
)
def test_a_request_that_is_not_complete_in_time_is_closed(site: Site, start: bytes, drip: bytes) -> None:
    with _connect(site) as connection:
        connection.sendall(start)
        if drip:
            _send_until_closed(connection, drip, 1000, pause=0.05)
        try:
            while connection.recv(65536):
                pass
        except ConnectionResetError:
            pass
    assert _is_served(site)


def test_a_large_body_is_refused(site: Site) -> None:
    origin = {"Origin": site.address, "Content-Type": "application/x-www-form-urlencoded"}
    assert site.client.post("/exports", content=b"a=" + b"x" * 20_000, headers=origin).status_code == 413
    assert _is_served(site)


def test_too_many_connections_get_the_status_503_and_the_next_ones_are_served(site: Site) -> None:
    site.client.close()
    idle = [_connect(site) for _ in range(20)]
    with httpx.Client(base_url=site.address, timeout=60) as client:
        assert client.get("/static/css/base.css").status_code == 503
    for connection in idle:
        connection.recv(1) if connection.fileno() >= 0 else None
        connection.close()
    with httpx.Client(base_url=site.address, timeout=60) as client:
        assert client.get("/static/css/base.css").status_code == 200


def test_with_a_token_every_request_must_bring_it(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, landing=tmp_path, reports_token=TOKEN)
    with serving(AppContext.of(settings)) as site:
        for path in ("/", "/exports", "/campaigns.csv", "/static/css/base.css"):
            refused = site.client.get(path)
            assert (refused.status_code, refused.headers["WWW-Authenticate"][:5]) == (401, "Basic")
        basic = base64.b64encode(f":{TOKEN}".encode()).decode()
        wrong = ["Basic", "Basic !", f"Basic {basic[:-4]}", "Bearer", "Bearer x", f"Digest {TOKEN}", f"Basic {TOKEN}"]
        for header in wrong:
            assert site.client.get("/static/css/base.css", headers={"Authorization": header}).status_code == 401
        for header in (f"Basic {basic}", f"Bearer {TOKEN}", f"bearer {TOKEN}"):
            assert site.client.get("/static/css/base.css", headers={"Authorization": header}).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("[::1]:80", 200), ("reports.example.com", 200), ("10.0.0.7", 200), ("evil.example", 400)],
)
def test_the_pages_answer_to_allowed_host_names_only(tmp_path: Path, host: str, status: int) -> None:
    settings = Settings(
        data=tmp_path, landing=tmp_path, reports_host="10.0.0.7", reports_allowed_hosts="reports.example.com"
    )
    with serving(AppContext.of(settings)) as site:
        assert site.client.get("/static/css/base.css", headers={"Host": host}).status_code == status


def test_an_address_for_other_machines_needs_a_login_or_a_token(tmp_path: Path) -> None:
    run = sendmart({"SENDMART_DATA": str(tmp_path), "SENDMART_REPORTS_HOST": "0.0.0.0"}, "reports")
    assert run.returncode == 2
    assert "SENDMART_REPORTS_BEHIND_LOGIN" in run.stderr
    assert "SENDMART_REPORTS_TOKEN" in run.stderr
    short = sendmart({"SENDMART_DATA": str(tmp_path), "SENDMART_REPORTS_TOKEN": "short-secret"}, "reports")
    assert short.returncode == 2
    assert "SENDMART_REPORTS_TOKEN" in short.stderr
    assert "short-secret" not in short.stderr
