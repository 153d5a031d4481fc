"""Protection from other web sites: security headers on every response, and a check of requests that change something.

A page runs only the server's own scripts, loads nothing from other hosts and is not shown in frames. A request that changes
something must come from a page of this server: the browser's headers say so, and the form holds the token of this process.

If a token is set, every request but that for `HEALTH` must bring it. Not here: a login for each person, which a web server in
front of the pages has (`docs/reports.md`).
"""

import base64
import secrets
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

HEALTH = "/health"
"""The one path that needs no token: it has no figures."""

TOKEN = secrets.token_urlsafe(32)
"""The token of this process. A page that was opened before a restart must be reloaded."""


STALE_PAGE = "The server was restarted after this page was opened. Reload the page and try again."


class SecurityHeaders:
    """Adds the headers to every response. Pages must not be cached: they hold current figures and personal data."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


class RequireToken:
    """Answers only requests that bring the token: as password of any user (HTTP Basic), which browsers ask for, or as Bearer.

    Without a token, every request is answered. `HEALTH` never needs it.
    """

    def __init__(self, app: ASGIApp, token: SecretStr | None) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = scope["type"] != "http" or self._token is None or scope["path"] == HEALTH
        if is_open or self._is_authorized(Request(scope)):
            await self._app(scope, receive, send)
        else:
            challenge = {"WWW-Authenticate": 'Basic realm="Sendmart reports", charset="UTF-8"'}
            await PlainTextResponse("These pages need the token.", 401, challenge)(scope, receive, send)

    def _is_authorized(self, request: Request) -> bool:
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                credentials = base64.b64decode(credentials, validate=True).decode().partition(":")[2]
            except ValueError:
                return False
        elif scheme.lower() != "bearer":
            return False
        assert self._token is not None
        return secrets.compare_digest(credentials.encode(), self._token.get_secret_value().encode())


def is_own_request(request: Request, token: str) -> bool:
    """Whether a request was sent by a page of this server."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        is_same_origin = site == "same-origin"
    else:
        is_same_origin = origin is not None and urlsplit(origin).netloc == request.headers.get("host")
    return is_same_origin and secrets.compare_digest(token.encode(), TOKEN.encode())
