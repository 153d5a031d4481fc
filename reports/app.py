"""The web application: which link leads to which page.

Pages are plain functions of a request, run in threads, each on the build that is published at that moment.

Not here: what a page shows (`campaign_table`, `campaign`, `exported`), how it looks (`templates`), who starts it
(`orchestration.cli.reports`).
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from functools import partial
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

import duckdb
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
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

from models.marts import published_columns
from models.masking import mask_error, masked_number, masking_logger
from reports import campaign, campaign_table, charts, export_requests, formatting, freshness, security
from reports.csv_download import Selection, csv_of, file_of
from reports.database import NothingPublished, Published, PublishedDatabase
from reports.message_preview import message
from warehouse.config.paths import DataPaths
from warehouse.config.settings import Settings
from warehouse.export import ON_REQUEST, FileFormat

HERE = Path(__file__).parent
COLUMNS_REMEMBERED = "columns"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
LARGEST_FORM = 10_000
MEDIA_TYPES = {
    FileFormat.CSV: "text/csv; charset=utf-8",
    FileFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

log = masking_logger("sendmart.reports")


class Anything(Convertor[str]):
    """A part of a path that may hold whatever an id may: slashes and line breaks, too."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("anything", Anything())


class Reports:
    """The pages, over one data folder."""

    def __init__(self, settings: Settings, paths: DataPaths, request_export: export_requests.RequestExport) -> None:
        self.settings, self.paths = settings, paths
        self.zone = settings.time_zone
        self.door = PublishedDatabase(settings, paths)
        self.requests = export_requests.Requests(request_export)
        self.templates = Jinja2Templates(directory=HERE / "templates")
        environment = self.templates.env
        environment.trim_blocks = environment.lstrip_blocks = True
        environment.filters |= {
            "count": formatting.count,
            "money": formatting.money,
            "rate": formatting.rate,
            "size": formatting.size,
            "moment": partial(formatting.moment, zone=self.zone),
            "cell": partial(formatting.cell, zone=self.zone),
            "plain": formatting.plain,
            "short": formatting.short,
            "campaign_path": campaign.campaign_path,
            "number": self._number,
        }
        environment.globals |= {
            "zone": settings.report_timezone,
            "token": security.TOKEN,
            "charts": charts,
            "labels": export_requests.LABELS,
            "reports": ON_REQUEST,
        }

    def app(self) -> ASGIApp:
        @asynccontextmanager
        async def closing_requests(_: Starlette) -> AsyncIterator[None]:
            with closing(self.requests):
                yield

        bound = self.settings.reports_host
        hosts = [*LOOPBACK, "[::1]", bound] if bound in LOOPBACK else ["*"]
        app = Starlette(
            routes=[
                Route("/", self.table_page),
                Route("/campaigns.csv", self.table_csv),
                Route("/contacts.csv", self.contacts_csv),
                Route("/skipped.csv", self.skipped_csv),
                Route("/campaigns/{campaign_id:anything}", self.campaign_page),
                Route("/exports", self.exports_page),
                Route("/exports", self.request_export, methods=["POST"]),
                Route("/exports/{report}/{file}", self.download),
                Mount("/static", StaticFiles(directory=HERE / "static")),
            ],
            # On loopback only names of loopback: a name of another site that was pointed here opens nothing.
            middleware=[
                Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
                Middleware(GZipMiddleware, minimum_size=1000),
            ],
            exception_handlers={
                NothingPublished: self.nothing_published,
                HTTPException: self.no_such_page,
                duckdb.Error: self.cannot_be_read,
                Exception: self.went_wrong,
            },
            lifespan=closing_requests,
        )
        # Such an answer names the host that was asked, which behind a login is not the one that the browser knows.
        app.router.redirect_slashes = False
        # Around everything: answers to what went wrong carry the headers, too.
        return security.Guarded(app)

    # --- pages

    def table_page(self, request: Request) -> Response:
        asked = self._asked(request)
        with self.door.open() as published:
            response = self._page(
                request,
                "campaigns.html",
                published,
                asked=asked,
                table=campaign_table.table(published, asked, self.zone),
                columns=campaign_table.COLUMNS,
                charted=campaign_table.CHARTED,
                sums=campaign_table.SUMS,
            )
        if "columns" in request.query_params:
            response.set_cookie(
                COLUMNS_REMEMBERED, ".".join(asked.columns), max_age=31_536_000, httponly=True, samesite="strict"
            )
        return response

    def table_csv(self, request: Request) -> Response:
        asked = self._asked(request)
        where, parameters = campaign_table.condition(asked, self.zone)
        selection = Selection(
            "campaign_metrics",
            [(campaign_table.COLUMNS[name], campaign_table.COLUMNS[name].label) for name in asked.columns],
            where,
            campaign_table.order(asked),
            parameters,
        )
        return self._csv("campaigns", lambda _: selection)

    def campaign_page(self, request: Request) -> Response:
        # A path of dots is no path to a browser: such an id comes in the query.
        campaign_id = request.path_params["campaign_id"] or request.query_params.get("id", "")
        asked = campaign.TableQuery.of(campaign_id, request.query_params)
        with self.door.open() as published:
            found = campaign.find(published, campaign_id)
            if found is None:
                raise HTTPException(404, "No campaign has this id in the build that is published now.")
            whole_numbers = self._shows_numbers(published)
            count = found.overview[asked.chosen_tab.tile] if found.overview else 0
            return self._page(
                request,
                "campaign.html",
                published,
                asked=asked,
                campaign=found,
                message=message(found.details) if found.details else None,
                tiles=campaign.TILES,
                tabs=campaign.TABS,
                contacts=campaign.contacts(published, asked, count, whole_numbers=whole_numbers),
                contact_columns=self._contact_columns(published),
                headings=campaign.CONTACT_HEADINGS,
                reasons=campaign.skip_reasons(published, campaign_id),
                skipped=campaign.skipped(published, asked),
                over_time=campaign.over_time(published, campaign_id, self.settings.report_timezone),
                whole_numbers=whole_numbers,
            )

    def contacts_csv(self, request: Request) -> Response:
        asked = campaign.TableQuery.of(request.query_params.get("campaign", ""), request.query_params)

        def selection(published: Published) -> Selection:
            where, parameters = campaign.contacts_condition(asked, whole_numbers=self._shows_numbers(published))
            return Selection(
                "delivery_status", _all_columns("delivery_status", published), where, "contact_id", parameters
            )

        return self._csv(f"contacts_{asked.tab}", selection)

    def skipped_csv(self, request: Request) -> Response:
        asked = campaign.TableQuery.of(request.query_params.get("campaign", ""), request.query_params)
        where, parameters = campaign.skipped_condition(asked)
        order = "contact_id, message_id"
        return self._csv(
            "skipped",
            lambda opened: Selection("skip_reasons", _all_columns("skip_reasons", opened), where, order, parameters),
        )

    def exports_page(self, request: Request) -> Response:
        try:
            with self.door.open() as published:
                return self._show_exports(request, published)
        except (NothingPublished, duckdb.Error):
            # What was exported can be fetched whatever became of the build.
            return self._show_exports(request, None)

    def _show_exports(self, request: Request, published: Published | None, **words: Any) -> Response:
        # Before the files: what is said to be exported is listed.
        is_any_open, asked_for = self.requests.is_any_open, [(one, one.state) for one in self.requests.asked]
        files = export_requests.exported_files(self.paths, self.settings.export_retention_days)
        masks = not self.settings.reports_show_phone_numbers
        return self._page(
            request,
            "exports.html",
            published,
            files=files,
            names=export_requests.names_of(published, files) if published else {},
            is_any_open=is_any_open,
            asked_for=asked_for,
            masks=masks,
            **words,
        )

    async def request_export(self, request: Request) -> Response:
        form = await _form(request)
        report = form.get("report", "")
        if not security.is_ours(request, form.get("token", "")):
            raise HTTPException(
                403, "This page was open since before the last start. Open it again, and ask once more."
            )
        # In the link, not in the form: there a browser would change line breaks in an id.
        campaign, file_format = request.query_params.get("campaign"), form.get("format", FileFormat.CSV)
        if report not in ON_REQUEST or file_format not in list(FileFormat):
            raise HTTPException(400, "There is no such report.")
        await run_in_threadpool(self.requests.ask, report, campaign, FileFormat(file_format))
        return RedirectResponse("/exports", status_code=303)

    def download(self, request: Request) -> Response:
        wanted = request.path_params["report"], request.path_params["file"]
        files = export_requests.exported_files(self.paths, self.settings.export_retention_days)
        # Looked up among what lies there: no part of the request becomes a path.
        found = next((export for export in files if (export.report, export.file) == wanted), None)
        if found is None:
            raise HTTPException(404, "This export is not there any more, or never was.")
        masks = not self.settings.reports_show_phone_numbers
        if masks and found.is_spreadsheet_with_whole_numbers:
            raise HTTPException(
                404, "This spreadsheet holds whole phone numbers, which are masked here. Request it again on this page."
            )
        blocks = file_of(self.paths.local_copy(found.path), masks=masks)
        return _file_response(chain([next(blocks, b"")], blocks), found.file)

    # --- what went wrong

    def nothing_published(self, request: Request, error: Exception) -> Response:
        return self._page(request, "nothing_published.html", None, status=503)

    def no_such_page(self, request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        words = error.detail
        if words == status.phrase:  # the library's own
            words = "There is no such page." if status == HTTPStatus.NOT_FOUND else "This page takes no such request."
        title = "Not found" if status == HTTPStatus.NOT_FOUND else "Not possible"
        return self._page(request, "error.html", None, status=status, title=title, words=words)

    def cannot_be_read(self, request: Request, error: Exception) -> Response:
        mask_error(error)
        log.error("a page could not be made: %s", error)
        words = "The published figures cannot be read at the moment. Whoever runs Sendmart finds the cause in the log."
        return self._page(request, "error.html", None, status=500, title="Cannot be read", words=words)

    def went_wrong(self, request: Request, error: Exception) -> Response:
        words = "Something went wrong here. Whoever runs Sendmart finds the cause in the log."
        return self._page(request, "error.html", None, status=500, title="Something went wrong", words=words)

    # --- what pages share

    def _page(
        self, request: Request, template: str, published: Published | None, status: int = 200, **shown: Any
    ) -> Response:
        head = {
            "published": published,
            "currency": published.choices["reporting_currency"] if published else self.settings.reporting_currency,
            "refresh": freshness.last_refresh(self.paths),
        }
        return self.templates.TemplateResponse(request, template, {**head, **shown}, status_code=status)

    def _asked(self, request: Request) -> campaign_table.TableQuery:
        chosen = request.query_params.getlist("columns") or request.cookies.get(COLUMNS_REMEMBERED, "").split(".")
        return campaign_table.TableQuery.of(request.query_params, chosen)

    def _shows_numbers(self, published: Published) -> bool:
        """Whether numbers are shown in whole, and so may be found by a part of one."""
        return self.settings.reports_show_phone_numbers and not published.is_masked

    def _number(self, number: str) -> str:
        return number if self.settings.reports_show_phone_numbers or "…" in number else masked_number(number)

    def _contact_columns(self, published: Published) -> list[Any]:
        by_name = {
            column.name: column for column in published_columns("delivery_status", is_masked=published.is_masked)
        }
        return [by_name[name] for name in campaign.contact_columns(published)]

    def _csv(self, name: str, selection: Any) -> Response:
        blocks = csv_of(
            self.door.open(),
            selection,
            self.settings.export_csv_mode,
            masks=not self.settings.reports_show_phone_numbers,
        )
        # The first block is waited for: what goes wrong at once ends in plain words, not in a file.
        return _file_response(chain([next(blocks, b"")], blocks), f"{name}.csv")


def _all_columns(mart: str, published: Published) -> list[Any]:
    return [(column, column.name) for column in published_columns(mart, is_masked=published.is_masked)]


def _file_response(blocks: Iterator[bytes], file: str) -> Response:
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file)}"}
    return StreamingResponse(blocks, media_type=MEDIA_TYPES[FileFormat(file.rpartition(".")[2])], headers=headers)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small form."""
    body = b""
    async for block in request.stream():
        body += block
        if len(body) > LARGEST_FORM:
            raise HTTPException(413, "This form is too large.")
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


def create_app(settings: Settings, paths: DataPaths, request_export: export_requests.RequestExport) -> ASGIApp:
    """The application over a data folder; `request_export` writes an export that was asked for."""
    return Reports(settings, paths, request_export).app()
