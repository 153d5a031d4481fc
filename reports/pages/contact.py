"""The page of one contact: what happened to it, in time order, for questions that a person asks.

Not here: the events (`reports.queries.contact`).
"""

from collections import Counter
from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from reports.database import PAGE_SIZE, Page
from reports.links import contact_path, link, page_number
from reports.pages.listings import reader_of, text_of
from reports.queries import contact
from reports.site import Site


def routes(site: Site) -> list[Route]:
    return [
        Route("/people/contact", partial(contact_page, site)),
        Route("/people/contact.csv", partial(contact_csv, site)),
    ]


def contact_page(site: Site, request: Request) -> Response:
    contact_id = request.query_params.get("id", "").strip()
    with site.database.open() as published:
        reader = reader_of(site, published)
        events = contact.history(published, contact_id, reader) if contact_id else []
        others = []
        number = contact.whole_number(contact_id)
        # A whole number reveals nothing to a reader who knows it. In a build with masked numbers it finds nothing.
        if not events and number and not published.is_masked:
            others = contact.contacts_with(published, number)
            if len(others) == 1:
                return RedirectResponse(contact_path(others[0]), status_code=303)
        pages = max(1, -(-len(events) // PAGE_SIZE))
        at = min(page_number(request.query_params.get("page", "")), pages)
        shown = events[(at - 1) * PAGE_SIZE : at * PAGE_SIZE]
        return site.page(
            request,
            "contact.html",
            published,
            contact_id=contact_id,
            is_erased=contact.is_erased(contact_id),
            others=others,
            page=Page(shown, len(events), at, pages),
            page_link=lambda number: link(contact_path(contact_id), [("page", number if number > 1 else None)]),
            counts=Counter(event["kind"] for event in events),
            last={event["kind"]: event["at"] for event in reversed(events)},
            numbers=list(dict.fromkeys(event["number"] for event in events if event["number"])),
            columns=contact.COLUMNS,
            show=partial(text_of, site),
            most=contact.MOST_EVENTS,
        )


def contact_csv(site: Site, request: Request) -> Response:
    contact_id = request.query_params.get("id", "").strip()
    return site.csv("contact", lambda published: contact.selected(published, contact_id, reader_of(site, published)))
