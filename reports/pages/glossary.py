"""The page of the glossary.

Not here: its words (`reports.queries.first_page.glossary`).
"""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reports.database import NothingPublished, Published
from reports.queries.first_page import glossary
from reports.site import Site


def routes(site: Site) -> list[Route]:
    return [Route("/glossary", partial(glossary_page, site))]


def glossary_page(site: Site, request: Request) -> Response:
    try:
        with site.database.open() as published:
            return _show(site, request, published, published.settings["conversion_rate_denominator"])
    except NothingPublished:
        return _show(site, request, None, site.settings.conversion_rate_denominator)


def _show(site: Site, request: Request, published: Published | None, base: str) -> Response:
    return site.page(request, "glossary.html", published, sections=glossary.sections(base))
