"""The page of the exports: their list, downloads, and requests for new ones.

Not here: writing an export (`reports.export_requests`).
"""

from functools import partial

import duckdb
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from reports import export_requests, security
from reports.csv_download import read_file
from reports.database import NothingPublished, Published
from reports.queries import campaign_table
from reports.site import Site, file_response, read_form
from warehouse.export import ON_REQUEST, FileFormat, RowSelection


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
    form = {name: values[0] for name, values in (await read_form(request)).items()}
    report = form.get("report", "")
    if not security.is_own_request(request, form.get("token", "")):
        raise HTTPException(403, security.STALE_PAGE)
    # The id is in the link, not in the form, where a browser would change its line breaks.
    campaign, file_format = request.query_params.get("campaign"), form.get("format", FileFormat.CSV)
    if report not in ON_REQUEST or file_format not in list(FileFormat):
        raise HTTPException(400, "This report or format does not exist.")
    selection = None
    if form.get("rows") == "table" and report == "campaign_metrics":
        # The link of the form is that of the table.
        selection = await run_in_threadpool(_rows_of_table, site, request)
    await run_in_threadpool(site.requests.submit, report, campaign, FileFormat(file_format), selection)
    return RedirectResponse("/exports", status_code=303)


def _rows_of_table(site: Site, request: Request) -> RowSelection:
    query = campaign_table.TableQuery.of(request.query_params, request.query_params.getlist("columns"))
    with site.database.open() as published:
        return campaign_table.rows_to_export(published, query, site.zone)
