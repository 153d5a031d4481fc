"""The pages of listings and their CSV files: all of them by the same two functions.

Not here: what each listing shows (`reports.queries.listings.delivery`, `people`, `clicks`).
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.insights import SCHEMA as INSIGHTS_SCHEMA
from models.marts import NUMBER
from models.masking import FREE_TEXT_COLUMNS, ID_COLUMNS, PROVIDER_COLUMNS, masked_in_ids, masked_in_words
from reports import formatting
from reports.database import Published, Row, Selection
from reports.plots import Chart, Line
from reports.queries.first_page.periods import Choice, last_whole_day, period_of
from reports.queries.listings import clicks, delivery, failure_rates, files, left_out, listing, not_again, people
from reports.queries.listings.listing import Listing, ListingQuery, Reader, Shown
from reports.queries.send_times import SendTimesQuery
from reports.site import Site

MOST_DAYS = 120
"""The longest time of which a chart shows each day; longer ones are shown by month."""


Values = Callable[[Published, ListingQuery, list[Row], Reader], Mapping[str, Any]]
"""What a template gets beside the rows of its page, from the query and these rows."""

LeftOut = Callable[[Published, ListingQuery, Reader], list[str]]
"""Sentences about what the figures leave out."""


def no_values(published: Published, query: ListingQuery, rows: list[Row], reader: Reader) -> Mapping[str, Any]:
    return {}


def failure_values(published: Published, query: ListingQuery, rows: list[Row], reader: Reader) -> Mapping[str, Any]:
    """The failure rate and the usual one; the chart by day, unless a filter is set that days do not have."""
    sent = failure_rates.messages_of_campaigns(published, query, reader)
    failed = listing.totals(published, query, reader)["messages"] or 0
    days = failure_rates.by_day(published)
    values: dict[str, Any] = {"sent": sent, "failure_rate": failed / sent if sent else None}
    if query.first_day:
        values["usual"] = failure_rates.usual_rate(days, query.first_day)
    if not query.search and not query.campaign and not query.chosen:
        values["chart"] = _failure_chart(days, query)
    return values


def incident_values(published: Published, query: ListingQuery, rows: list[Row], reader: Reader) -> Mapping[str, Any]:
    return {"campaigns": delivery.campaigns_of_incidents(published, rows)}


def suppressed_values(published: Published, query: ListingQuery, rows: list[Row], reader: Reader) -> Mapping[str, Any]:
    return {"what_if": people.what_if(published), "not_again": not_again.counts(published)}


LISTINGS: dict[Listing, Values] = {
    delivery.FAILURES: failure_values,
    delivery.ROUTES: no_values,
    delivery.INCIDENTS: incident_values,
    delivery.SKIPPED: no_values,
    people.UNSUBSCRIBES: no_values,
    people.SUPPRESSED: suppressed_values,
    people.OPT_OUTS: no_values,
    people.PRESSURE: no_values,
    clicks.LINKS: no_values,
    clicks.BOTS: no_values,
}
"""The listings, each with a function that gives its template more than rows."""

LEFT_OUT: dict[Listing, LeftOut] = {
    people.UNSUBSCRIBES: left_out.of_unsubscribes,
    people.PRESSURE: left_out.of_pressure,
    clicks.LINKS: left_out.of_links,
    clicks.BOTS: left_out.of_clicks,
}


def routes(site: Site) -> list[Route]:
    return [
        route
        for shown in LISTINGS
        for route in (
            Route(shown.path, partial(listing_page, site, shown)),
            Route(shown.csv_path, partial(listing_csv, site, shown)),
        )
    ] + [Route(not_again.CSV_PATH, partial(not_again_csv, site))]


def listing_page(site: Site, shown: Listing, request: Request) -> Response:
    query = ListingQuery.of(shown, request.query_params)
    with site.database.open() as published:
        is_there = _is_there(published, shown)
        values: dict[str, Any] = {"listing": shown, "is_there": is_there}
        if is_there:
            _check_campaign(published, query)
            reader, query = reader_of(site, published), listing.checked(published, query)
            page = published.page(listing.selected(query, reader), query.page)
            values |= {
                "page": page,
                "show": partial(text_of, site),
                "choices": [(choice, listing.options(published, query, choice)) for choice in shown.choices],
                "totals": listing.totals(published, query, reader) if shown.totals and page.count else None,
                "groups": [(sums, listing.groups(published, query, sums, reader)) for sums in shown.sums],
                "chart": _chart(published, query, reader) if shown.charted else None,
                "campaign_name": listing.campaign_name(published, query.campaign) if query.campaign else "",
                "search_label": _search_label(shown, published, reader),
                "periods": period_links(published, query, site.zone) if shown.time else [],
                "left_out": LEFT_OUT[shown](published, query, reader) if shown in LEFT_OUT else [],
                **LISTINGS[shown](published, query, page.rows, reader),
            }
        return site.page(request, shown.template, published, query=query, **values)


def listing_csv(site: Site, shown: Listing, request: Request) -> Response:
    query = ListingQuery.of(shown, request.query_params)
    name = shown.path.rpartition("/")[2]

    def select(published: Published) -> Selection:
        if not _is_there(published, shown):
            raise HTTPException(404, "The published build does not have these figures.")
        _check_campaign(published, query)
        return files.selected_for_file(
            listing.checked(published, query),
            reader_of(site, published),
            published.settings["reporting_currency"],
            is_raw=site.settings.export_csv_mode == "raw",
        )

    return site.csv(name, select)


def not_again_csv(site: Site, request: Request) -> Response:
    def select(published: Published) -> Selection:
        query = ListingQuery.of(not_again.not_again(published), request.query_params)
        return files.selected_for_file(query, reader_of(site, published), "", is_raw=False)

    return site.csv("not-again", select)


def _check_campaign(published: Published, query: ListingQuery) -> None:
    if query.campaign and not listing.is_known(published, query.campaign, query.listing):
        raise HTTPException(404, "The published build has no campaign with this ID.")


def _is_there(published: Published, shown: Listing) -> bool:
    """Whether the build has the mart. Only insights may be missing."""
    return not shown.is_insight or published.has(INSIGHTS_SCHEMA, shown.mart)


def text_of(site: Site, row: Row, column: Shown) -> str:
    """A value as the page shows it."""
    value = row[column.name]
    if value is None:
        return formatting.NOTHING
    if column.name == NUMBER:
        return site.phone_number(value)
    if site.masks and column.name in ID_COLUMNS:
        return masked_in_ids(value)
    if site.masks and column.name in FREE_TEXT_COLUMNS | PROVIDER_COLUMNS:
        return masked_in_words(value)
    if column.kind == "moment":
        return formatting.moment(value, site.zone)
    if column.kind == "yes_no":
        return "Yes" if value else "No"
    if column.kind == "cost":
        return formatting.money(value)
    return formatting.figure(value, column.kind) if column.is_number else str(value)


PERIODS = {
    Choice.DAYS_7: "7 days",
    Choice.DAYS_30: "30 days",
    Choice.DAYS_90: "90 days",
    Choice.MONTH: "This month",
    Choice.LAST_MONTH: "Last month",
}


def period_links(
    published: Published, query: ListingQuery | SendTimesQuery, zone: ZoneInfo
) -> list[tuple[str, str, bool]]:
    """Periods to choose: the words, the link, and whether it is chosen. The days are in the link, so that it stays the same."""
    if not published.info["data_until"]:
        return []
    last_day = last_whole_day(published.info["data_until"], zone)
    chosen = query.first_day, query.last_day
    choices = [("All", None, None), *((words, *period_of(choice, last_day)) for choice, words in PERIODS.items())]
    return [
        (words, query.link(first_day=first, last_day=last), chosen == (first, last)) for words, first, last in choices
    ]


def _search_label(shown: Listing, published: Published, reader: Reader) -> str:
    """The label of the search. It says whether a number finds a contact."""
    if not shown.finds_contacts or not any(column.name == NUMBER for column in shown.columns):
        return shown.search_label
    if reader.shows_numbers:
        return "Contact ID, part of a number, or campaign"
    return "Contact ID or campaign" if published.is_masked else "Contact ID, complete number, or campaign"


def reader_of(site: Site, published: Published) -> Reader:
    return Reader(site.zone, site.masks, published.is_masked, site.shows_numbers(published))


def _chart(published: Published, query: ListingQuery, reader: Reader) -> Chart | None:
    """The rows by day."""
    noun = query.listing.noun[1].capitalize()
    return _daily_chart(listing.counts_by_day(published, query, reader), noun, noun, "clicks")


def _failure_chart(days: Mapping[date, failure_rates.DayOfSending], query: ListingQuery) -> Chart | None:
    """Failed messages and their rates by day. Each day leads to the reasons of its failures."""
    shown = failure_rates.chosen_days(list(days), query) if days else []
    if len(shown) < 2:
        return None
    if len(shown) > MOST_DAYS:
        counts = {day: days[day].failed for day in shown if day in days}
        return _daily_chart(counts, "Failed messages, by the day of sending", "Failed messages", "hard_bounce")
    nothing = failure_rates.DayOfSending(0, 0)
    of_days = [days.get(day, nothing) for day in shown]
    usual = [failure_rates.usual_rate(days, day) for day in shown]
    return Chart(
        "by-day",
        "Failed messages, by the day of sending",
        "day",
        [str(day) for day in shown],
        [f"{day.day} {day:%b}" for day in shown],
        [
            Line("Failed messages", "hard_bounce", "count", [day.failed for day in of_days]),
            Line("Failure rate", "clicks", "rate", [day.rate for day in of_days], on_right=True),
            Line("Usual rate", "pending", "rate", usual, on_right=True, is_dashed=True),
        ],
        links=[query.link(first_day=day, last_day=day) for day in shown],
    )


def _daily_chart(counts: Mapping[date, int], title: str, label: str, kind: str) -> Chart | None:
    """Counts by day, or by month if the time is long; None for fewer than two days."""
    if len(counts) < 2:
        return None
    first, last = min(counts), max(counts)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    by_day = len(days) <= MOST_DAYS
    if not by_day:
        days = list(dict.fromkeys(day.replace(day=1) for day in days))
    values = dict.fromkeys(days, 0)
    for day, count in counts.items():
        values[day if by_day else day.replace(day=1)] += count
    step, name, short = ("day", "%Y-%m-%d", "{0.day} {0:%b}") if by_day else ("month", "%Y-%m", "{0:%b %Y}")
    return Chart(
        "by-day",
        title if "day" in title else f"{title} by {step}",
        step,
        [day.strftime(name) for day in days],
        [short.format(day) for day in days],
        [Line(label, kind, "count", list(values.values()))],
    )
