"""The web server of the report pages, with limits for clients that send too much, too slowly or too often.

uvicorn limits the headers of a request (`h11`) and the number of connections. `BoundedProtocol` adds the time that a request
and its response may take.

Not here: the pages (`reports.app`), the limit of a form's body (there, too), who may open a page (`reports.security`).
"""

import asyncio
import socket

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_BYTES = 32 << 10
"""Browsers and proxies send a few kilobytes. The longest link of the campaign table has a few more."""
REQUEST_SECONDS = 10
"""The time in which a client must have sent its request. A request of the pages is one packet or two."""
RESPONSE_SECONDS = 600
"""The time in which a client must have taken the response: the CSV of a large campaign over a slow line."""
CONNECTIONS = 100
"""Connections at once, idle ones included; more get the status 503. A page takes a tenth of a second."""


class BoundedProtocol(H11Protocol):
    """Closes a connection whose request, or whose response, takes too long."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._start_deadline()

    def _start_deadline(self) -> None:
        self._cancel_deadline()
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._check_request)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _check_request(self) -> None:
        if self.conn.their_state in (h11.DONE, h11.MUST_CLOSE):
            self._deadline = self.loop.call_later(RESPONSE_SECONDS, self.transport.abort)
        else:
            self.transport.abort()


def create_server(app: ASGIApp) -> uvicorn.Server:
    """The server of these pages; `serve` or `run` it on a listening socket."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            port=0,
            http=BoundedProtocol,
            ws="none",
            h11_max_incomplete_event_size=HEADER_BYTES,
            limit_concurrency=CONNECTIONS,
            log_level="warning",
            access_log=False,  # URLs hold search terms
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
        )
    )


def listen(host: str, port: int) -> socket.socket:
    """The listening socket.

    Raises:
        OSError: the address is not available.
    """
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
