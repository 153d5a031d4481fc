"""The first page: the overview, the campaign table, and what the browser remembers of it.

Not here: the figures (`reports.queries.first_page`), the rows of the table (`reports.queries.campaign_table`).
"""

from functools import partial
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from reports import security
from reports.queries import campaign_table, notices
from reports.queries.campaign_table import TableQuery
from reports.queries.first_page import figures, glossary, overview, saved_views, table_columns
from reports.queries.first_page.saved_views import COLUMNS_COOKIE, TABLE_COOKIE, VIEWS_COOKIE
from reports.site import Site, read_form
from reports.words import FAILURE_REASONS

A_YEAR = 31_536_000


def routes(site: Site) -> list[Route]:
    return [
        Route("/", partial(first_page, site)),
        Route("/campaigns.csv", partial(table_csv, site)),
        Route("/columns", remember_columns, methods=["POST"]),
        Route("/views", change_views, methods=["POST"]),
    ]


def first_page(site: Site, request: Request) -> Response:
    remembered = saved_views.remembered_link(request.cookies)
    if remembered and not request.query_params:
        # The address then holds what is seen.
        return RedirectResponse(remembered, status_code=302)
    query = _query(request)
    with site.database.open() as published:
        table = campaign_table.table(published, query, site.zone)
        found = overview.overview(published, query.overview, site.zone)
        response = site.page(
            request,
            "campaigns.html",
            published,
            query=query,
            overview=found,
            notices=notices.notices(published, found.period, site.zone) if found else None,
            figures=figures.FIGURES,
            table=table,
            short=campaign_table.short_revenue(published, query, table.page, site.zone),
            top=campaign_table.top_campaigns(published, query, site.zone),
            views=table_columns.VIEWS,
            saved=saved_views.saved_views(request.cookies),
            rates=table_columns.RATES,
            units=table_columns.UNITS,
            meanings=glossary.MEANINGS,
            reasons=FAILURE_REASONS,
        )
    _remember(response, TABLE_COOKIE, quote(query.link().partition("?")[2]), age=None)
    return response


def table_csv(site: Site, request: Request) -> Response:
    query = _query(request)
    return site.csv("campaigns", lambda published: campaign_table.selected_for_file(published, query, site.zone))


def _query(request: Request) -> TableQuery:
    return TableQuery.of(request.query_params, request.query_params.getlist("columns"))


# --- what the browser remembers


async def remember_columns(request: Request) -> Response:
    """Remembers the chosen columns, and shows them."""
    form = await _own_form(request)
    columns = TableQuery.of({}, form.get("columns", [])).columns
    query = saved_views.query_of(_first(form, "table"))
    response = _table(query.link(columns=columns, page=1))
    _remember(response, COLUMNS_COOKIE, ".".join(columns) if columns != TableQuery.columns else "", A_YEAR)
    return response


async def change_views(request: Request) -> Response:
    """Saves the table that a person sees under a name, or forgets the view of a name."""
    form = await _own_form(request)
    query = saved_views.query_of(_first(form, "table"))
    views = saved_views.saved_views(request.cookies)
    if forgotten := _first(form, "forget"):
        changed = [view for view in views if view.name != forgotten]
    else:
        changed = saved_views.with_view(views, _first(form, "name"), query)
        if changed == views:
            message = (
                f"A view needs a name, and a browser keeps at most {saved_views.MOST_VIEWS} views. Remove one first."
            )
            raise HTTPException(400, message)
    response = _table(query.link())
    _remember(response, VIEWS_COOKIE, saved_views.views_cookie(changed) if changed else "", A_YEAR)
    return response


async def _own_form(request: Request) -> dict[str, list[str]]:
    """The fields of a form that a page of this server sent."""
    form = await read_form(request)
    if not security.is_own_request(request, _first(form, "token")):
        raise HTTPException(403, security.STALE_PAGE)
    return form


def _first(form: dict[str, list[str]], name: str) -> str:
    return form.get(name, [""])[0]


def _table(link: str) -> Response:
    return RedirectResponse(f"{link}#campaigns", status_code=303)


def _remember(response: Response, cookie: str, value: str, age: int | None) -> None:
    """Sets a cookie until its age in seconds, or until the browser is closed; deletes it if there is no value."""
    if value:
        response.set_cookie(cookie, value, max_age=age, httponly=True, samesite="strict")
    else:
        response.delete_cookie(cookie, httponly=True, samesite="strict")
