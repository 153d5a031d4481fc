"""The web application: the routes of the report pages, and what each page passes to its template.

Pages are plain functions of a request, run in threads. Each reads the build that is published at that moment.

Not here: the queries of a page (`campaign_table`, `campaign`, `export_requests`), its HTML (`templates`), starting the
server (`orchestration.cli.reports`).
"""

import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

import duckdb
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp

from models.error_codes import Code
from models.marts import dbt_marts, published_columns
from models.masking import mask_error, masked_number, masking_logger, sanitize
from reports import campaign, campaign_table, charts, export_requests, formatting, security
from reports.csv_download import read_file, write_csv
from reports.database import NothingPublished, Published, PublishedDatabase, Selection
from reports.message_preview import message_preview
from warehouse.config.paths import DataPaths
from warehouse.config.settings import Settings
from warehouse.export import ON_REQUEST, FileFormat, has_campaigns
from warehouse.ledger import Ledger

HERE = Path(__file__).parent
COLUMNS_COOKIE = "columns"
LARGEST_FORM = 10_000
MEDIA_TYPES = {
    FileFormat.CSV: "text/csv; charset=utf-8",
    FileFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

log = masking_logger("sendmart.reports")


class AnyText(PathConvertor):
    """A part of a path with any characters that an id may have, slashes and line breaks included."""

    regex = r"[\s\S]*"


register_url_convertor("any_text", AnyText())


class ReportPages:
    """The pages of one data folder."""

    def __init__(self, settings: Settings, paths: DataPaths, request_export: export_requests.RequestExport) -> None:
        self.settings, self.paths = settings, paths
        self.zone, self.masks = settings.time_zone, not settings.reports_show_phone_numbers
        self.database = PublishedDatabase(settings, paths)
        self.requests = export_requests.ExportRequests(request_export)
        self.templates = Jinja2Templates(directory=HERE / "templates")
        environment = self.templates.env
        environment.trim_blocks = environment.lstrip_blocks = True
        for formatter in (*formatting.PLAIN_FILTERS, campaign.campaign_path):
            environment.filters[formatter.__name__] = formatter
        environment.filters |= {
            "moment": partial(formatting.moment, zone=self.zone),
            "cell": partial(formatting.cell, zone=self.zone),
            "phone_number": self._phone_number,
        }
        environment.globals |= {
            "zone": settings.report_timezone,
            "token": security.TOKEN,
            "charts": charts,
            "masks": self.masks,
            "reports": [report for report in ON_REQUEST if report in dbt_marts(insights=settings.insights)],
            "campaign_reports": [report for report in ON_REQUEST if has_campaigns(report)],
        }

    def app(self) -> ASGIApp:
        @asynccontextmanager
        async def closing_requests(_: Starlette) -> AsyncIterator[None]:
            with closing(self.requests):
                yield

        app = Starlette(
            routes=[
                Route("/", self.table_page),
                Route("/campaigns.csv", self.table_csv),
                Route("/contacts.csv", self.contacts_csv),
                Route("/skipped.csv", self.skipped_csv),
                Route("/campaigns/{campaign_id:any_text}", self.campaign_page),
                Route("/exports", self.exports_page),
                Route("/exports", self.request_export, methods=["POST"]),
                Route("/exports/{report}/{file}", self.download),
                Mount("/static", StaticFiles(directory=HERE / "static")),
            ],
            # A foreign name that resolves to this machine opens no page.
            middleware=[
                Middleware(TrustedHostMiddleware, allowed_hosts=self.settings.reports_host_names, www_redirect=False),
                Middleware(security.RequireToken, token=self.settings.reports_token),
                Middleware(GZipMiddleware, minimum_size=1000),
            ],
            exception_handlers={
                NothingPublished: self.nothing_published,
                HTTPException: self.http_error,
                duckdb.Error: self.database_error,
                Exception: self.unexpected_error,
            },
            lifespan=closing_requests,
        )
        # A redirect names the host of the request, which behind a login is not the one that the browser knows.
        app.router.redirect_slashes = False
        # Outermost, so that error pages have the headers, too.
        return security.SecurityHeaders(app)

    # --- pages

    def table_page(self, request: Request) -> Response:
        query = self._table_query(request)
        with self.database.open() as published:
            response = self._page(
                request,
                "campaigns.html",
                published,
                query=query,
                table=campaign_table.table(published, query, self.zone),
                columns=campaign_table.COLUMNS,
                charted=campaign_table.CHARTED,
            )
        if "columns" in request.query_params:
            response.set_cookie(
                COLUMNS_COOKIE, ".".join(query.columns), max_age=31_536_000, httponly=True, samesite="strict"
            )
        return response

    def campaign_page(self, request: Request) -> Response:
        # Browsers resolve a path of dots: an id of dots is in the query string.
        campaign_id = request.path_params["campaign_id"] or request.query_params.get("id", "")
        query = campaign.CampaignQuery.of(campaign_id, request.query_params)
        with self.database.open() as published:
            report = campaign.find_campaign(published, campaign_id)
            if report is None:
                raise HTTPException(404, "The published build has no campaign with this ID.")
            shows_numbers = self._shows_numbers(published)
            contacts = campaign.contacts(query, shows_numbers=shows_numbers)
            columns = published_columns("delivery_status", is_masked=published.is_masked)
            # Without a search, the tile of the tab has the number of contacts.
            count = report.overview[query.selected_tab.tile] if report.overview else 0
            return self._page(
                request,
                "campaign.html",
                published,
                query=query,
                campaign=report,
                message=message_preview(report.details) if report.details else None,
                tabs=campaign.TABS,
                contacts=published.page(contacts, query.page, None if query.search else count),
                columns={column.name: column for column in columns},
                reasons=campaign.skip_reasons(published, campaign_id),
                skipped=published.page(campaign.skipped(query), query.skipped_page),
                over_time=campaign.over_time(published, campaign_id, self.settings.report_timezone),
                shows_numbers=shows_numbers,
            )

    def exports_page(self, request: Request) -> Response:
        try:
            with self.database.open() as published:
                return self._show_exports(request, published)
        except (NothingPublished, duckdb.Error):
            # Exports can be downloaded without a published build.
            return self._show_exports(request, None)

    def _show_exports(self, request: Request, published: Published | None) -> Response:
        # Read before the files, so that the file of a finished request is listed.
        requests = [(export, export.is_pending, export.state) for export in self.requests.latest]
        files = export_requests.exported_files(self.paths, self.settings.export_retention_days)
        names = export_requests.campaign_names(published, files) if published else {}
        return self._page(request, "exports.html", published, files=files, names=names, requests=requests)

    # --- files

    def table_csv(self, request: Request) -> Response:
        selection = campaign_table.selected(self._table_query(request), self.zone)
        return self._csv("campaigns", lambda _: selection)

    def contacts_csv(self, request: Request) -> Response:
        query = campaign.CampaignQuery.of(request.query_params.get("campaign", ""), request.query_params)
        return self._csv(
            f"contacts_{query.tab}",
            lambda published: campaign.contacts(query, shows_numbers=self._shows_numbers(published)),
        )

    def skipped_csv(self, request: Request) -> Response:
        query = campaign.CampaignQuery.of(request.query_params.get("campaign", ""), request.query_params)
        return self._csv("skipped", lambda _: campaign.skipped(query))

    def _csv(self, name: str, select: Callable[[Published], Selection]) -> Response:
        blocks = write_csv(self.database.open(), select, self.settings.export_csv_mode, masks=self.masks)
        return _file_response(blocks, f"{name}.csv")

    def download(self, request: Request) -> Response:
        name = request.path_params["report"], request.path_params["file"]
        files = export_requests.exported_files(self.paths, self.settings.export_retention_days)
        # Found by comparison with the existing exports: no part of the request becomes a path.
        export = next((export for export in files if (export.report, export.file) == name), None)
        if export is None:
            raise HTTPException(404, "This export does not exist, or it was deleted.")
        if self.masks and export.is_spreadsheet_with_whole_numbers:
            raise HTTPException(
                404, "This spreadsheet holds whole phone numbers, which are masked here. Request it again on this page."
            )
        return _file_response(read_file(self.paths.local_copy(export.path), masks=self.masks), export.file)

    async def request_export(self, request: Request) -> Response:
        form = await _form(request)
        report = form.get("report", "")
        if not security.is_own_request(request, form.get("token", "")):
            raise HTTPException(
                403, "The server was restarted after this page was opened. Reload the page and try again."
            )
        # The id is in the link, not in the form, where a browser would change its line breaks.
        campaign, file_format = request.query_params.get("campaign"), form.get("format", FileFormat.CSV)
        if report not in ON_REQUEST or file_format not in list(FileFormat):
            raise HTTPException(400, "This report or format does not exist.")
        await run_in_threadpool(self.requests.submit, report, campaign, FileFormat(file_format))
        return RedirectResponse("/exports", status_code=303)

    # --- errors

    def nothing_published(self, request: Request, error: Exception) -> Response:
        return self._page(request, "nothing_published.html", None, status=503)

    def http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # the type that the handler is registered for
        is_missing, message = error.status_code == HTTPStatus.NOT_FOUND, error.detail
        if message == HTTPStatus(error.status_code).phrase:  # the library's own text
            message = "This page does not exist." if is_missing else "This request is not allowed."
        return self._error(request, error.status_code, "Not found" if is_missing else "Not possible", message)

    def database_error(self, request: Request, error: Exception) -> Response:
        mask_error(error)
        log.error("a page could not be rendered: %s", error)
        message = "The published figures cannot be read at the moment. The server's log has the cause."
        return self._error(request, 500, "Cannot be read", message)

    def unexpected_error(self, request: Request, error: Exception) -> Response:
        title = "Something went wrong"
        return self._error(request, 500, title, f"{title}. The server's log has the cause.")

    def _error(self, request: Request, status: int, title: str, message: str) -> Response:
        return self._page(request, "error.html", None, status, title=title, message=message)

    # --- helpers

    def _page(
        self, request: Request, template: str, published: Published | None, status: int = 200, **values: Any
    ) -> Response:
        values |= {
            "published": published,
            "currency": published.settings["reporting_currency"] if published else self.settings.reporting_currency,
            "refresh": _last_refresh(self.paths),
        }
        return self.templates.TemplateResponse(request, template, values, status_code=status)

    def _table_query(self, request: Request) -> campaign_table.TableQuery:
        columns = request.query_params.getlist("columns") or request.cookies.get(COLUMNS_COOKIE, "").split(".")
        return campaign_table.TableQuery.of(request.query_params, columns)

    def _shows_numbers(self, published: Published) -> bool:
        """Whether mobile numbers are shown unmasked, so that a part of a number may find a contact."""
        return not self.masks and not published.is_masked

    def _phone_number(self, number: str) -> str:
        return masked_number(number) if self.masks and "…" not in number else number


@dataclass(frozen=True)
class LastRefresh:
    """The last refresh: its outcome, when it ended (UTC), the meanings of its runbook codes, and its message by line."""

    outcome: str
    at: datetime
    meanings: list[str]
    lines: list[str]

    @property
    def has_problem(self) -> bool:
        return self.outcome in ("held back", "failed")


def _last_refresh(paths: DataPaths) -> LastRefresh | None:
    """The last refresh in the ledger; None if there is none or the ledger cannot be read."""
    if not paths.ledger.exists():
        return None
    try:
        refresh = Ledger(paths.ledger, paths.find_data).last_refresh()
    except sqlite3.Error:
        return None
    if refresh is None:
        return None
    lines = [sanitize(line) for line in refresh.message.splitlines() if line.strip()]
    codes = dict.fromkeys(
        Code(match[1]) for line in lines if (match := re.match(r"([a-z-]+): ", line)) and match[1] in list(Code)
    )
    return LastRefresh(refresh.outcome, refresh.finished_at, [code.meaning for code in codes], lines)


def _file_response(blocks: Iterator[bytes], file: str) -> Response:
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file)}"}
    # Waits for the first block, so that an early error gives an error page, not a broken file.
    all_blocks = chain([next(blocks, b"")], blocks)
    return StreamingResponse(all_blocks, media_type=MEDIA_TYPES[FileFormat(file.rpartition(".")[2])], headers=headers)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small form."""
    body = b""
    async for block in request.stream():
        body += block
        if len(body) > LARGEST_FORM:
            raise HTTPException(413, "This form is too large.")
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def create_app(settings: Settings, paths: DataPaths, request_export: export_requests.RequestExport) -> ASGIApp:
    """The application for a data folder. `request_export` writes an export that a person requested."""
    return ReportPages(settings, paths, request_export).app()
