"""The report of a campaign: its tiles, its contacts by delivery status, skipped contacts, clicks and orders over time.

The database pages, counts and searches the contacts.

Not here: the HTML (`reports/templates`), masking numbers in a page (`reports.app`), the message (`reports.message_preview`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from models.enums import DeliveryStatus, SkipReason
from models.marts import NUMBER
from reports.database import DATABASE, MARTS, Published, Row, Selection
from reports.links import campaign_path, link, one_of, page_number
from warehouse.duckdb_tools import fetch_row, local_time_sql


class Tab(NamedTuple):
    """A tab of the delivery details: the contacts of one status. Their number is on a tile."""

    status: DeliveryStatus
    label: str
    tile: str


TABS = (
    Tab(DeliveryStatus.DELIVERED, "Delivered", "unique_deliveries"),
    Tab(DeliveryStatus.PENDING, "Pending", "pending"),
    Tab(DeliveryStatus.SOFT_BOUNCE, "Soft bounces", "soft_bounces"),
    Tab(DeliveryStatus.HARD_BOUNCE, "Hard bounces", "hard_bounces"),
    Tab(DeliveryStatus.DELETED, "Deleted", "deleted"),
)


@dataclass(frozen=True)
class CampaignQuery:
    """The tab, search, filter and pages that a link to a campaign asks for. Invalid values in a link are ignored."""

    campaign_id: str
    tab: DeliveryStatus = DeliveryStatus.DELIVERED
    search: str = ""
    page: int = 1
    skip_reason: str = ""
    skipped_page: int = 1

    @classmethod
    def of(cls, campaign_id: str, parameters: Mapping[str, str]) -> "CampaignQuery":
        return cls(
            campaign_id,
            tab=DeliveryStatus(one_of(list(DeliveryStatus), parameters.get("tab"), cls.tab)),
            search=parameters.get("search", "").strip(),
            page=page_number(parameters.get("page", "")),
            skip_reason=one_of(list(SkipReason), parameters.get("reason"), ""),
            skipped_page=page_number(parameters.get("skipped", "")),
        )

    @property
    def selected_tab(self) -> Tab:
        return next(tab for tab in TABS if tab.status == self.tab)

    def link(self, path: str | None = None, **changes: Any) -> str:
        """The link for this query with changes. Without a `path`, it leads to the campaign's page."""
        query = replace(self, **changes)
        parameters = [
            ("campaign", query.campaign_id if path else None),
            ("tab", query.tab if query.tab != CampaignQuery.tab else None),
            ("search", query.search),
            ("page", query.page if query.page > 1 else None),
            ("reason", query.skip_reason),
            ("skipped", query.skipped_page if query.skipped_page > 1 else None),
        ]
        return link(path or campaign_path(query.campaign_id), parameters)


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


# --- contacts


def contacts(query: CampaignQuery, *, shows_numbers: bool) -> Selection:
    """The contacts of a tab that match the search, ordered by id."""
    where = "where campaign_id = $campaign_id and delivery_status = $status"
    search, parameters = _search(query.search, shows_numbers=shows_numbers)
    parameters |= {"campaign_id": query.campaign_id, "status": str(query.tab)}
    return Selection("delivery_status", where + search, parameters, (("contact_id", False),))


def _search(text: str, *, shows_numbers: bool) -> tuple[str, dict[str, Any]]:
    """A contact is found by a part of its id or by its whole number.

    A part of a number finds a contact only where numbers are shown: otherwise, repeated searches would reveal the number.
    """
    if not text:
        return "", {}
    digits = "".join(character for character in text if character.isdecimal())
    if shows_numbers and len(digits) >= 3:
        by_number, value = f"contains({NUMBER}, $number)", digits
    else:
        by_number, value = f"{NUMBER} = $number", f"+{digits.removeprefix('00')}" if digits else ""
    return f" and (contains(lower(contact_id), lower($search)) or {by_number})", {"search": text, "number": value}


def skipped(query: CampaignQuery) -> Selection:
    """The skipped messages of the selected reason, or of all, ordered by contact."""
    where, parameters = "where campaign_id = $campaign_id", {"campaign_id": query.campaign_id}
    if query.skip_reason:
        where, parameters = f"{where} and skip_reason = $reason", parameters | {"reason": query.skip_reason}
    return Selection("skip_reasons", where, parameters, (("contact_id", False), ("message_id", False)))


def skip_reasons(published: Published, campaign_id: str) -> list[Row]:
    """By skip reason, its description and the numbers of messages and contacts; the most frequent first."""
    return published.rows(
        "select skip_reason, any_value(skip_reason_details) as details, count(*) as messages,"
        f" count(distinct contact_id) as contacts from {MARTS}.skip_reasons where campaign_id = $campaign_id"
        " group by skip_reason order by messages desc, skip_reason",
        {"campaign_id": campaign_id},
    )


# --- over time


class Series(NamedTuple):
    """One line of a chart: a count for each hour, day or month."""

    label: str
    kind: str
    counts: list[int]


class OverTime(NamedTuple):
    """Clicks and orders by hour, day or month, without gaps: `moments` are the starts of the hours, days or months."""

    by: str
    moments: list[datetime]
    clicks: list[Series]
    orders: list[Series]


_STEPS = (("hour", timedelta(hours=72)), ("day", timedelta(days=92)))
"""The step of a chart up to a length of time; longer times are shown by month."""

_CLICK_COUNTS = (
    ("marts", "campaign_clicks_by_minute", "minute_at"),
    ("marts", "campaign_clicks_hourly", "hour_at"),
    ("timelines", "campaign_clicks_by_hour", "hour_at"),
)
"""The schema, table and time of counted clicks. Builds of releases 0.3 and 0.2, which may be rolled back to, count by hour."""


def over_time(published: Published, campaign_id: str, zone: str) -> OverTime | None:
    """Clicks and orders from the first to the last; None if there are none. Days begin at midnight in `zone`."""
    events = (
        f"select attribution as kind, ordered_at as moment, 1 as number from {MARTS}.attributed_orders"
        " where campaign_id = $campaign_id"
    )
    counted = next((names for names in _CLICK_COUNTS if published.has(*names[:2])), None)
    if counted:  # builds of release 0.1 have none
        schema, table, moment = counted
        events += (
            f" union all select 'clicks', {moment}, clicks from {DATABASE}.{schema}.{table}"
            " where campaign_id = $campaign_id"
        )
    local = f"select kind, {local_time_sql('moment', ZoneInfo(zone))} as moment, number from ({events})"
    parameters = {"campaign_id": campaign_id}
    first, last = fetch_row(published.connection, f"select min(moment), max(moment) from ({local})", parameters)
    if first is None:
        return None
    by = next((by for by, longest in _STEPS if last - first < longest), "month")
    kinds = {"clicks": "Clicks", "direct": "Direct", "assisted": "Assisted"}
    counts = ", ".join(f"coalesce(sum(number) filter (kind = '{kind}'), 0)::bigint as {kind}" for kind in kinds)
    rows = published.rows(
        f"select start, {counts} from ({local})"
        f" right join generate_series(date_trunc('{by}', $first)::timestamp, $last, interval 1 {by}) as steps(start)"
        f" on date_trunc('{by}', moment) = start group by start order by start",
        {**parameters, "first": first, "last": last},
    )
    lines = [Series(label, kind, [row[kind] for row in rows]) for kind, label in kinds.items()]
    return OverTime(by, [row["start"] for row in rows], lines[:1], lines[1:])
