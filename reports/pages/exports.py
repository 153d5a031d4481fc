"""The page of the exports: their list, downloads, and requests for new ones.

Not here: writing an export (`reports.export_requests`).
"""

from functools import partial
from urllib.parse import parse_qs

import duckdb
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from reports import export_requests, security
from reports.csv_download import read_file
from reports.database import NothingPublished, Published
from reports.pages.campaign_table import query_of
from reports.queries import campaign_table
from reports.site import Site, file_response
from warehouse.export import ON_REQUEST, FileFormat

LARGEST_FORM = 10_000
"""The most bytes of a form."""


def routes(site: Site) -> list[Route]:
    return [
        Route("/exports", partial(exports_page, site)),
        Route("/exports", partial(request_export, site), methods=["POST"]),
        Route("/exports/{report}/{file}", partial(download, site)),
    ]


def exports_page(site: Site, request: Request) -> Response:
    try:
        with site.database.open() as published:
            return _show_exports(site, request, published)
    except (NothingPublished, duckdb.Error):
        # Exports can be downloaded without a published build.
        return _show_exports(site, request, None)


def _show_exports(site: Site, request: Request, published: Published | None) -> Response:
    # Read before the files, so that the file of a finished request is listed.
    requests = [(export, export.is_pending, export.state) for export in site.requests.latest]
    files = export_requests.exported_files(site.paths, site.settings.export_retention_days)
    names = export_requests.campaign_names(published, files) if published else {}
    return site.page(request, "exports.html", published, files=files, names=names, requests=requests)


def download(site: Site, request: Request) -> Response:
    name = request.path_params["report"], request.path_params["file"]
    files = export_requests.exported_files(site.paths, site.settings.export_retention_days)
    # Found by comparison with the existing exports: no part of the request becomes a path.
    export = next((export for export in files if (export.report, export.file) == name), None)
    if export is None:
        raise HTTPException(404, "This export does not exist, or it was deleted.")
    if site.masks and export.is_spreadsheet_with_whole_numbers:
        raise HTTPException(
            404, "This spreadsheet holds whole phone numbers, which are masked here. Request it again on this page."
        )
    return file_response(read_file(site.paths.local_copy(export.path), export.report, masks=site.masks), export.file)


async def request_export(site: Site, request: Request) -> Response:
    form = await _form(request)
    report = form.get("report", "")
    if not security.is_own_request(request, form.get("token", "")):
        raise HTTPException(403, "The server was restarted after this page was opened. Reload the page and try again.")
    # The id is in the link, not in the form, where a browser would change its line breaks.
    campaign, file_format = request.query_params.get("campaign"), form.get("format", FileFormat.CSV)
    if report not in ON_REQUEST or file_format not in list(FileFormat):
        raise HTTPException(400, "This report or format does not exist.")
    selection = None
    if form.get("rows") == "table" and report == "campaign_metrics":
        # The link of the form is that of the table.
        selection = campaign_table.rows_to_export(query_of(request), site.zone)
    await run_in_threadpool(site.requests.submit, report, campaign, FileFormat(file_format), selection)
    return RedirectResponse("/exports", status_code=303)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small form."""
    body = b""
    async for block in request.stream():
        body += block
        if len(body) > LARGEST_FORM:
            raise HTTPException(413, "This form is too large.")
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
