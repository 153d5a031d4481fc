"""The web application: the routes of all pages, what every request passes through, and the pages for errors.

Not here: the pages (`reports.pages`), what they share (`reports.site`), starting the server (`orchestration.cli.reports`).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from http import HTTPStatus

import duckdb
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from models.masking import mask_error, masking_logger
from reports import security
from reports.database import NothingPublished
from reports.export_requests import RequestExport
from reports.pages import PAGES
from reports.site import HERE, Site
from warehouse.config.paths import DataPaths
from warehouse.config.settings import Settings

log = masking_logger("sendmart.reports")


def create_app(settings: Settings, paths: DataPaths, request_export: RequestExport) -> ASGIApp:
    """The application for a data folder. `request_export` writes an export that a person requested."""
    site = Site(settings, paths, request_export)
    errors = ErrorPages(site)

    @asynccontextmanager
    async def closing_requests(_: Starlette) -> AsyncIterator[None]:
        with closing(site.requests):
            yield

    app = Starlette(
        routes=[
            *(route for page in PAGES for route in page.routes(site)),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        # A foreign name that resolves to this machine opens no page.
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=settings.reports_host_names, www_redirect=False),
            Middleware(security.RequireToken, token=settings.reports_token),
            Middleware(GZipMiddleware, minimum_size=1000),
        ],
        exception_handlers={
            NothingPublished: errors.nothing_published,
            HTTPException: errors.http_error,
            duckdb.Error: errors.database_error,
            Exception: errors.unexpected_error,
        },
        lifespan=closing_requests,
    )
    # A redirect names the host of the request, which behind a login is not the one that the browser knows.
    app.router.redirect_slashes = False
    # Outermost, so that error pages have the headers, too.
    return security.SecurityHeaders(app)


class ErrorPages:
    """The page for each kind of error."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def nothing_published(self, request: Request, error: Exception) -> Response:
        return self.site.page(request, "nothing_published.html", None, status=503)

    def http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # the type that the handler is registered for
        is_missing, message = error.status_code == HTTPStatus.NOT_FOUND, error.detail
        if message == HTTPStatus(error.status_code).phrase:  # the library's own text
            message = "This page does not exist." if is_missing else "This request is not allowed."
        return self.site.error(request, error.status_code, "Not found" if is_missing else "Not possible", message)

    def database_error(self, request: Request, error: Exception) -> Response:
        mask_error(error)
        log.error("a page could not be rendered: %s", error)
        message = "The published figures cannot be read at the moment. The server's log has the cause."
        return self.site.error(request, 500, "Cannot be read", message)

    def unexpected_error(self, request: Request, error: Exception) -> Response:
        title = "Something went wrong"
        return self.site.error(request, 500, title, f"{title}. The server's log has the cause.")
