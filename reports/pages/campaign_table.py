"""The first page: the campaign table.

Not here: its filters, order and totals (`reports.queries.campaign_table`).
"""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reports.queries import campaign_table
from reports.site import Site

COLUMNS_COOKIE = "columns"


def routes(site: Site) -> list[Route]:
    return [Route("/", partial(table_page, site)), Route("/campaigns.csv", partial(table_csv, site))]


def table_page(site: Site, request: Request) -> Response:
    query = query_of(request)
    with site.database.open() as published:
        response = site.page(
            request,
            "campaigns.html",
            published,
            query=query,
            table=campaign_table.table(published, query, site.zone),
            columns=campaign_table.COLUMNS,
            charted=campaign_table.CHARTED,
        )
    if "columns" in request.query_params:
        response.set_cookie(
            COLUMNS_COOKIE, ".".join(query.columns), max_age=31_536_000, httponly=True, samesite="strict"
        )
    return response


def table_csv(site: Site, request: Request) -> Response:
    selection = campaign_table.selected(query_of(request), site.zone)
    return site.csv("campaigns", lambda _: selection)


def query_of(request: Request) -> campaign_table.TableQuery:
    """The table that a link asks for, with the columns that the reader has chosen."""
    columns = request.query_params.getlist("columns") or request.cookies.get(COLUMNS_COOKIE, "").split(".")
    return campaign_table.TableQuery.of(request.query_params, columns)
