"""The page of send times: which hours of the week bring clicks and orders.

Not here: the counts (`reports.queries.send_times`).
"""

from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reports.database import Published, Selection
from reports.pages.listings import period_links
from reports.queries import send_times
from reports.site import Site


def routes(site: Site) -> list[Route]:
    quarters = send_times.QuartersOfBuild()
    return [
        Route("/clicks/send-times", partial(send_times_page, site, quarters)),
        Route("/clicks/send-times.csv", partial(send_times_csv, site, quarters)),
    ]


def send_times_page(site: Site, quarters: send_times.QuartersOfBuild, request: Request) -> Response:
    query = send_times.SendTimesQuery.of(request.query_params)
    with site.database.open() as published:
        is_there = published.has("insights", "click_quality")
        return site.page(
            request,
            "send_times.html",
            published,
            query=query,
            is_there=is_there,
            periods=period_links(published, query, site.zone),
            times=send_times.send_times(quarters.of(published), query, site.zone) if is_there else None,
            measures=send_times.MEASURES,
            weekdays=send_times.WEEKDAYS,
            shades=send_times.SHADES,
            most=send_times.BEST,
        )


def send_times_csv(site: Site, quarters: send_times.QuartersOfBuild, request: Request) -> Response:
    query = send_times.SendTimesQuery.of(request.query_params)

    def select(published: Published) -> Selection:
        if not published.has("insights", "click_quality"):
            raise HTTPException(404, "The published build does not have these figures.")
        return send_times.file_of(send_times.send_times(quarters.of(published), query, site.zone))

    return site.csv("send-times", select)
