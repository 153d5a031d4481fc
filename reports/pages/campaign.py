"""The page of a campaign, and the CSV files of its people, its skipped contacts and its links.

Not here: its queries (`reports.queries.campaign` and the modules that it names), the message (`reports.message_preview`).
"""

from dataclasses import replace
from functools import partial
from typing import Any

from starlette.convertors import PathConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.enums import BotClicks
from models.marts import columns
from reports.database import Published
from reports.message_preview import message_preview
from reports.queries import campaign
from reports.queries.of_campaign import clicks, delivery, money, people, standing
from reports.site import Site
from reports.words import COUNTRIES, DELIVERY_STATUSES


class AnyText(PathConvertor):
    """A part of a path with any characters that an id may have, slashes and line breaks included."""

    regex = r"[\s\S]*"


register_url_convertor("any_text", AnyText())

NO_CAMPAIGN = "The published build has no campaign with this ID."


def routes(site: Site) -> list[Route]:
    return [
        Route("/contacts.csv", partial(people_csv, site)),
        Route("/skipped.csv", partial(skipped_csv, site)),
        Route("/campaign-links.csv", partial(links_csv, site)),
        Route("/campaigns/{campaign_id:any_text}", partial(campaign_page, site)),
    ]


def campaign_page(site: Site, request: Request) -> Response:
    # Browsers resolve a path of dots: an id of dots is in the query string.
    campaign_id = request.path_params["campaign_id"] or request.query_params.get("id", "")
    with site.database.open() as published:
        report = campaign.find_campaign(published, campaign_id)
        if report is None:
            raise HTTPException(404, NO_CAMPAIGN)
        has_insights = published.has("insights", "campaign_economics")
        query = _query(campaign_id, request, has_insights=has_insights)
        return site.page(
            request,
            "campaign.html",
            published,
            query=query,
            campaign=report,
            message=message_preview(report.details) if report.details else None,
            over_time=campaign.over_time(published, campaign_id, site.settings.report_timezone),
            unconverted=money.unconverted(published, campaign_id),
            has_insights=has_insights,
            **_people(site, published, report, query, has_insights=has_insights),
            **(_insights(published, report, query) if has_insights else {}),
            **(_standing(published, query) if report.metrics else {}),
        )


def _query(campaign_id: str, request: Request, *, has_insights: bool) -> campaign.CampaignQuery:
    """What the link asks for. A tab that the build has no figures for is ignored."""
    query = campaign.CampaignQuery.of(campaign_id, request.query_params)
    if query.selected_tab.needs_insights and not has_insights:
        return replace(query, tab=campaign.CampaignQuery.tab)
    return query


def _people(
    site: Site, published: Published, report: campaign.Campaign, query: campaign.CampaignQuery, *, has_insights: bool
) -> dict[str, Any]:
    shows_numbers = site.shows_numbers(published)
    counts = people.counts(published, report, has_insights=has_insights)
    found = (
        people.found(published, query, has_insights=has_insights, shows_numbers=shows_numbers) if query.search else None
    )
    in_tab = query.credit if query.tab == "ordered" and query.credit else query.tab
    selected = people.people(published, query, shows_numbers=shows_numbers)
    skipped = people.skipped(query, shows_numbers=shows_numbers)
    return {
        "tabs": campaign.TABS,
        "people_tabs": [tab for tab in campaign.PEOPLE_TABS if has_insights or not tab.needs_insights],
        "counts": counts,
        "found": found,
        "found_in": [key for key, number in (found or {}).items() if number],
        "people": published.page(selected, query.page, (found or counts)[in_tab]),
        "people_columns": people.tab_columns(query.selected_tab, is_masked=published.is_masked),
        "shows_numbers": shows_numbers,
        "suppression": _hard_bounces_to_suppress(published),
        "skip_reasons": people.skip_reasons(published, query.campaign_id),
        "skipped": published.page(skipped, query.skipped_page),
    }


def _hard_bounces_to_suppress(published: Published) -> int | None:
    """After how many hard bounces in a row the build suppresses a number; None if it suppresses none."""
    settings = published.settings
    return settings.get("hard_bounces_to_suppress") if settings.get("hard_bounce_suppression") else None


def _insights(published: Published, report: campaign.Campaign, query: campaign.CampaignQuery) -> dict[str, Any]:
    campaign_id = query.campaign_id
    failures = delivery.failed_messages(published, campaign_id)
    routes = delivery.routes(published, campaign_id)
    of_tab = [row for row in failures if row["delivery_status"] == query.tab]
    return {
        "economics": money.economics(published, campaign_id),
        "windows": money.by_window(published, campaign_id),
        "models": money.by_model(published, campaign_id),
        "failures": delivery.by_reason(failures),
        "failures_of_tab": delivery.by_reason(of_tab),
        "all_routes": delivery.all_routes(routes) if routes else None,
        "failure_columns": {column.name: column for column in columns("delivery_failures")},
        "statuses": DELIVERY_STATUSES,
        "routes": routes,
        "countries": COUNTRIES,
        "times": delivery.TIMES,
        "link_column": next(column for column in columns("campaign_links") if column.name == "link"),
        "links": published.page(clicks.links(campaign_id), query.links_page),
        "response": clicks.response(published, campaign_id),
        "quality": clicks.click_quality(published, campaign_id),
        "excludes_bots": published.settings.get("bot_clicks") == BotClicks.EXCLUDE,
        "maturity": standing.maturity(published, report.metrics["last_sent_at"]) if report.metrics else None,
    }


def _standing(published: Published, query: campaign.CampaignQuery) -> dict[str, Any]:
    return {
        "standings": standing.standings(published, query.campaign_id, query.minimum),
        "minimums": standing.MINIMUMS,
    }


def people_csv(site: Site, request: Request) -> Response:
    query = _file_query(site, request, "click_quality")
    return site.csv(
        f"contacts_{query.tab}",
        lambda published: people.people(published, query, shows_numbers=site.shows_numbers(published)),
    )


def skipped_csv(site: Site, request: Request) -> Response:
    query = _file_query(site, request)
    return site.csv(
        "skipped",
        lambda published: people.skipped(query, shows_numbers=site.shows_numbers(published)),
    )


def links_csv(site: Site, request: Request) -> Response:
    query = _file_query(site, request, "campaign_links", is_needed=True)
    return site.csv("links", lambda _: clicks.links(query.campaign_id))


def _file_query(
    site: Site, request: Request, insight: str | None = None, *, is_needed: bool = False
) -> campaign.CampaignQuery:
    """The query of a file of one campaign. `insight` is the table that the file, or the tab of the link, needs.

    Raises:
        HTTPException: the build has no such campaign, or not the insight.
    """
    query = campaign.CampaignQuery.of(request.query_params.get("campaign", ""), request.query_params)
    with site.database.open() as published:
        if campaign.find_campaign(published, query.campaign_id) is None:
            raise HTTPException(404, NO_CAMPAIGN)
        is_needed = is_needed or query.selected_tab.needs_insights
        if insight and is_needed and not published.has("insights", insight):
            raise HTTPException(404, "The published build has no insights: SENDMART_INSIGHTS=true adds them.")
    return query
