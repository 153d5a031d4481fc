"""The page of a campaign, and the CSV files of its contacts.

Not here: its queries (`reports.queries.campaign`), the message (`reports.message_preview`).
"""

from functools import partial

from starlette.convertors import PathConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.marts import published_columns
from reports.message_preview import message_preview
from reports.queries import campaign
from reports.site import Site


class AnyText(PathConvertor):
    """A part of a path with any characters that an id may have, slashes and line breaks included."""

    regex = r"[\s\S]*"


register_url_convertor("any_text", AnyText())


def routes(site: Site) -> list[Route]:
    return [
        Route("/contacts.csv", partial(contacts_csv, site)),
        Route("/skipped.csv", partial(skipped_csv, site)),
        Route("/campaigns/{campaign_id:any_text}", partial(campaign_page, site)),
    ]


def campaign_page(site: Site, request: Request) -> Response:
    # Browsers resolve a path of dots: an id of dots is in the query string.
    campaign_id = request.path_params["campaign_id"] or request.query_params.get("id", "")
    query = campaign.CampaignQuery.of(campaign_id, request.query_params)
    with site.database.open() as published:
        report = campaign.find_campaign(published, campaign_id)
        if report is None:
            raise HTTPException(404, "The published build has no campaign with this ID.")
        shows_numbers = site.shows_numbers(published)
        contacts = campaign.contacts(query, shows_numbers=shows_numbers)
        columns = published_columns("delivery_status", is_masked=published.is_masked)
        # Without a search, the tile of the tab has the number of contacts.
        count = report.overview[query.selected_tab.tile] if report.overview else 0
        return site.page(
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
            over_time=campaign.over_time(published, campaign_id, site.settings.report_timezone),
            shows_numbers=shows_numbers,
        )


def contacts_csv(site: Site, request: Request) -> Response:
    query = campaign.CampaignQuery.of(request.query_params.get("campaign", ""), request.query_params)
    return site.csv(
        f"contacts_{query.tab}",
        lambda published: campaign.contacts(query, shows_numbers=site.shows_numbers(published)),
    )


def skipped_csv(site: Site, request: Request) -> Response:
    query = campaign.CampaignQuery.of(request.query_params.get("campaign", ""), request.query_params)
    return site.csv("skipped", lambda _: campaign.skipped(query))
