"""The page of a campaign: what a link to it asks for, its rows of the marts, clicks and orders over time.

Not here: its people and what its sections show (`reports.queries.of_campaign`), the message (`reports.message_preview`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from models.enums import Attribution, DeliveryStatus, SkipReason
from reports.database import DATABASE, MARTS, Published, Row
from reports.links import campaign_path, link, one_of, page_number
from reports.queries.of_campaign.standing import DEFAULT_MINIMUM, MINIMUMS
from warehouse.duckdb_tools import fetch_row, local_time_sql


class PeopleTab(NamedTuple):
    """A tab of people. Those of a delivery status have their number on a tile. `key` is its name in a link."""

    key: str
    label: str
    status: DeliveryStatus | None = None
    tile: str = ""
    needs_insights: bool = False


TABS = tuple(
    PeopleTab(str(status), label, status, tile)
    for status, label, tile in (
        (DeliveryStatus.DELIVERED, "Delivered", "unique_deliveries"),
        (DeliveryStatus.PENDING, "Pending", "pending"),
        (DeliveryStatus.SOFT_BOUNCE, "Soft bounces", "soft_bounces"),
        (DeliveryStatus.HARD_BOUNCE, "Hard bounces", "hard_bounces"),
        (DeliveryStatus.DELETED, "Deleted", "deleted"),
    )
)
"""The tabs of the delivery details: the contacts of one status."""

PEOPLE_TABS = (
    *TABS,
    PeopleTab("clicked", "Clicked", needs_insights=True),
    PeopleTab("clicked_only", "Clicked, did not order", needs_insights=True),
    PeopleTab("ordered", "Ordered"),
    PeopleTab("unsubscribed", "Unsubscribed"),
    PeopleTab("suppressed", "Suppressed"),
)
"""All tabs of people, in the order of the page. `reports.queries.of_campaign.people` has their queries."""


@dataclass(frozen=True)
class CampaignQuery:
    """The tab, search, filters and pages that a link to a campaign asks for. Invalid values in a link are ignored.

    `credit`: direct or assisted orders alone. `minimum`: the fewest deliveries of a campaign that is ranked.
    """

    campaign_id: str
    tab: str = TABS[0].key
    search: str = ""
    page: int = 1
    credit: str = ""
    skip_reason: str = ""
    skipped_page: int = 1
    links_page: int = 1
    minimum: int = DEFAULT_MINIMUM

    @classmethod
    def of(cls, campaign_id: str, parameters: Mapping[str, str]) -> "CampaignQuery":
        return cls(
            campaign_id,
            tab=one_of([tab.key for tab in PEOPLE_TABS], parameters.get("tab"), cls.tab),
            search=parameters.get("search", "").strip(),
            page=page_number(parameters.get("page", "")),
            credit=one_of(list(Attribution), parameters.get("credit"), ""),
            skip_reason=one_of(list(SkipReason), parameters.get("reason"), ""),
            skipped_page=page_number(parameters.get("skipped", "")),
            links_page=page_number(parameters.get("links", "")),
            minimum=int(one_of([str(least) for least in MINIMUMS], parameters.get("minimum"), str(cls.minimum))),
        )

    @property
    def selected_tab(self) -> PeopleTab:
        return next(tab for tab in PEOPLE_TABS if tab.key == self.tab)

    def link(self, path: str | None = None, **changes: Any) -> str:
        """The link for this query with changes. Without a `path`, it leads to the campaign's page."""
        query = replace(self, **changes)
        return link(
            path or campaign_path(query.campaign_id), [("campaign", query.campaign_id if path else None), *query.kept()]
        )

    def kept(self, *, without: Sequence[str] = ()) -> list[tuple[str, Any]]:
        """The parameters of the link, for the hidden fields of a form, `without` those that the form has itself."""
        parameters = [
            ("tab", self.tab if self.tab != CampaignQuery.tab else None),
            ("search", self.search),
            ("page", self.page if self.page > 1 else None),
            ("credit", self.credit),
            ("reason", self.skip_reason),
            ("skipped", self.skipped_page if self.skipped_page > 1 else None),
            ("links", self.links_page if self.links_page > 1 else None),
            ("minimum", self.minimum if self.minimum != CampaignQuery.minimum else None),
        ]
        return [(name, value) for name, value in parameters if value and name not in without]


@dataclass(frozen=True)
class Campaign:
    """A campaign's rows of the marts.

    `overview` and `metrics` are None before it is sent, `details` is None if the campaigns log does not know it.
    """

    campaign_id: str
    overview: Row | None
    metrics: Row | None
    details: Row | None


def find_campaign(published: Published, campaign_id: str) -> Campaign | None:
    """The campaign with this id, sent or not; None if no mart has it."""
    parameters = {"campaign_id": campaign_id}
    overview, metrics, details = (
        next(iter(published.rows(f"select * from {MARTS}.{mart} where campaign_id = $campaign_id", parameters)), None)
        for mart in ("campaign_overview", "campaign_metrics", "campaigns")
    )
    return Campaign(campaign_id, overview, metrics, details) if overview or details else None


# --- over time


class Series(NamedTuple):
    """One line of a chart: a count for each hour, day or month."""

    label: str
    kind: str
    counts: list[int]


class OverTime(NamedTuple):
    """Counts by hour, day or month. `moments` are the starts of the steps that are charted, without gaps.

    `later` are the steps after those, without empty ones: the start, and the count of each series.
    """

    by: str
    moments: list[datetime]
    series: list[Series]
    later: list[tuple[datetime, list[int]]]


class ClicksAndOrders(NamedTuple):
    """Each with steps of its own: orders come later than clicks. None if there are none."""

    clicks: OverTime | None
    orders: OverTime | None


_STEPS = (("hour", timedelta(hours=72)), ("day", timedelta(days=92)))
"""The step of a chart up to a length of time; longer times are shown by month."""

_LATE_SHARE = 0.01
"""So many of the clicks, or of the orders, may come after the end of their chart; of fewer than a hundred, one; of fewer than
ten, none. The chart ends early only if it would be more than twice as long otherwise: one late click would flatten it."""

_CLICK_COUNTS = (
    ("marts", "campaign_clicks_by_minute", "minute_at"),
    ("marts", "campaign_clicks_hourly", "hour_at"),
    ("timelines", "campaign_clicks_by_hour", "hour_at"),
)
"""The schema, table and time of counted clicks. Builds of releases 0.3 and 0.2, which may be rolled back to, count by hour."""


def over_time(published: Published, campaign_id: str, zone: str) -> ClicksAndOrders:
    """Clicks and orders from the first to the last. Days begin at midnight in `zone`."""
    orders = f"select attribution as kind, ordered_at as moment, 1 as number from {MARTS}.attributed_orders"
    counted = next((names for names in _CLICK_COUNTS if published.has(*names[:2])), None)
    clicks = None
    if counted:  # builds of release 0.1 have none
        schema, table, moment = counted
        events = f"select 'clicks' as kind, {moment} as moment, clicks as number from {DATABASE}.{schema}.{table}"
        clicks = _over_time(published, campaign_id, ZoneInfo(zone), events, {"clicks": "Clicks"})
    return ClicksAndOrders(
        clicks,
        _over_time(published, campaign_id, ZoneInfo(zone), orders, {"direct": "Direct", "assisted": "Assisted"}),
    )


def _over_time(
    published: Published, campaign_id: str, zone: ZoneInfo, events: str, kinds: Mapping[str, str]
) -> OverTime | None:
    """The campaign's events of each of the `kinds`, which have a label. `events` selects kind, UTC moment and number."""
    local = (
        f"select kind, {local_time_sql('moment', zone)} as moment, number"
        f" from ({events} where campaign_id = $campaign_id)"
    )
    parameters = {"campaign_id": campaign_id}
    first, last, end = fetch_row(
        published.connection,
        f"with following as (select moment, sum(number) over (order by moment desc) as number_from,"
        f" sum(number) over () as number_of_all from ({local}))"
        " select min(moment), max(moment), max(moment) filter (number_from >"
        " if(number_of_all < 10, 0, greatest(1, $late_share * number_of_all)))"
        " from following",
        {**parameters, "late_share": _LATE_SHARE},
    )
    if first is None:
        return None
    if last - first <= 2 * (end - first) or last - first < timedelta(hours=24):
        end = last
    by = next((by for by, longest in _STEPS if end - first < longest), "month")
    sums = ", ".join(f"coalesce(sum(number) filter (kind = '{kind}'), 0)::bigint as {kind}" for kind in kinds)
    rows = published.rows(
        f"select coalesce(step, date_trunc('{by}', moment)) as start, {sums} from ({local})"
        f" full join generate_series(date_trunc('{by}', $first)::timestamp, $end, interval 1 {by}) as steps(step)"
        f" on date_trunc('{by}', moment) = step group by start order by start",
        {**parameters, "first": first, "end": end},
    )
    charted = [row for row in rows if row["start"] <= end]
    return OverTime(
        by,
        [row["start"] for row in charted],
        [Series(label, kind, [row[kind] for row in charted]) for kind, label in kinds.items()],
        [(row["start"], [row[kind] for kind in kinds]) for row in rows[len(charted) :]],
    )
