"""The page that shows two to five campaigns side by side.

Not here: its queries (`reports.queries.compare`).
"""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reports.queries import compare
from reports.site import Site


def routes(site: Site) -> list[Route]:
    return [Route("/compare", partial(compare_page, site))]


def compare_page(site: Site, request: Request) -> Response:
    parameters = request.query_params
    query = compare.CompareQuery.of(parameters.getlist("campaign"), parameters.get("search", ""))
    with site.database.open() as published:
        campaigns = compare.compared(published, query)
        has_insights = published.has("insights", "campaign_response")
        known = {campaign.campaign_id for campaign in campaigns}
        return site.page(
            request,
            "compare.html",
            published,
            query=query,
            campaigns=campaigns,
            unknown=[campaign_id for campaign_id in query.campaign_ids if campaign_id not in known],
            found=compare.found(published, query),
            figures=[
                figure
                for figure in compare.FIGURES
                if any(campaign.figure(figure.column) is not None for campaign in campaigns)
            ],
            rates=compare.rates(campaigns, published.settings["conversion_rate_denominator"]),
            reasons=compare.failure_reasons(published, campaigns) if has_insights else [],
            responses=compare.response_curves(published, campaigns) if has_insights else None,
            has_insights=has_insights,
            fewest=compare.FEWEST,
            most=compare.MOST,
        )
