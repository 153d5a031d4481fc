"""The report of a campaign: its tiles, its contacts by delivery status, skipped contacts, clicks and orders over time.

The database pages, counts and searches the contacts: a page holds at most `PAGE_SIZE` of them.

Not here: the HTML (`reports/templates`), masking numbers in a page (`reports.app`), the message (`reports.message_preview`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from models.enums import DeliveryStatus, SkipReason
from models.marts import NUMBER, NUMBER_HASH
from reports.campaign_table import whole_number
from reports.database import DATABASE, MARTS, Published, Row

PAGE_SIZE = 50


@dataclass(frozen=True)
class Tab:
    """A tab of the delivery details: the contacts of one status."""

    status: DeliveryStatus
    label: str
    tile: str
    explanation: str


TABS = (
    Tab(
        DeliveryStatus.DELIVERED, "Delivered", "unique_deliveries", "The message was sent and delivered to the contact."
    ),
    Tab(
        DeliveryStatus.PENDING,
        "Pending",
        "pending",
        "The message is with the network and not yet delivered: the phone may be switched off or out of reach.",
    ),
    Tab(
        DeliveryStatus.SOFT_BOUNCE,
        "Soft bounces",
        "soft_bounces",
        "The time allowed for delivery expired, which is two to three days on most networks.",
    ),
    Tab(
        DeliveryStatus.HARD_BOUNCE,
        "Hard bounces",
        "hard_bounces",
        "Delivery failed for any other reason, such as a number that does not exist.",
    ),
    Tab(DeliveryStatus.DELETED, "Deleted", "deleted", "The message was deleted by a network."),
)

TILES = (
    ("revenue", "Revenue"),
    ("unique_sends", "Unique sends"),
    ("unique_deliveries", "Unique deliveries"),
    ("pending", "Pending"),
    ("soft_bounces", "Soft bounces"),
    ("hard_bounces", "Hard bounces"),
    ("deleted", "Deleted"),
    ("unsubscribes", "Unsubscribes"),
)
"""The eight tiles, by column of `campaign_overview`."""


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
        tab, reason = parameters.get("tab", ""), parameters.get("reason", "")
        return cls(
            campaign_id,
            tab=DeliveryStatus(tab) if tab in list(DeliveryStatus) else cls.tab,
            search=parameters.get("search", "").strip(),
            page=whole_number(parameters.get("page", ""), 1),
            skip_reason=reason if reason in list(SkipReason) else "",
            skipped_page=whole_number(parameters.get("skipped", ""), 1),
        )

    @property
    def selected_tab(self) -> Tab:
        return next(tab for tab in TABS if tab.status == self.tab)

    def link(self, path: str | None = None, **changes: Any) -> str:
        """The link for this query with changes. Without a `path`, it leads to the campaign's page."""
        query = replace(self, **changes)
        parameters = {
            "tab": query.tab if query.tab != CampaignQuery.tab else "",
            "search": query.search,
            "page": str(query.page) if query.page > 1 else "",
            "reason": query.skip_reason,
            "skipped": str(query.skipped_page) if query.skipped_page > 1 else "",
        }
        if path is None:
            path = campaign_path(query.campaign_id)
        else:
            parameters = {"campaign": query.campaign_id, **parameters}
        encoded = urlencode({name: value for name, value in parameters.items() if value})
        return path + ("&" if "?" in path else "?") * bool(encoded) + encoded


def campaign_path(campaign_id: str) -> str:
    """The path of a campaign's page. An id of dots is in the query string: browsers resolve a path of dots."""
    if set(campaign_id) <= {"."}:
        return f"/campaigns/?{urlencode({'id': campaign_id})}"
    return f"/campaigns/{quote(campaign_id, safe='')}"


@dataclass(frozen=True)
class Page:
    """A page of rows: its number, the number of pages, and the `count` of all rows."""

    rows: list[Row]
    count: int
    number: int
    pages: int

    @property
    def first(self) -> int:
        return (self.number - 1) * PAGE_SIZE + 1

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1


@dataclass(frozen=True)
class Campaign:
    """A campaign's rows of the marts.

    `overview` and `metrics` are None before it is sent, `details` is None if the campaigns log does not know it.
    """

    campaign_id: str
    overview: Row | None
    metrics: Row | None
    details: Row | None

    @property
    def name(self) -> str | None:
        return (self.details or self.overview or {}).get("campaign_name")


def find_campaign(published: Published, campaign_id: str) -> Campaign | None:
    """The campaign with this id, sent or not; None if no mart has it."""
    parameters = {"campaign_id": campaign_id}
    overview, metrics, details = (
        published.row(f"select * from {MARTS}.{mart} where campaign_id = $campaign_id", parameters)
        for mart in ("campaign_overview", "campaign_metrics", "campaigns")
    )
    return Campaign(campaign_id, overview, metrics, details) if overview or details else None


# --- contacts


def contacts_condition(query: CampaignQuery, *, shows_numbers: bool) -> tuple[str, dict[str, Any]]:
    """The contacts of a tab that match the search, as an SQL condition and its parameters."""
    parameters = {"campaign_id": query.campaign_id, "status": str(query.tab)}
    search, search_parameters = _search(query.search, shows_numbers=shows_numbers)
    return f"where campaign_id = $campaign_id and delivery_status = $status{search}", parameters | search_parameters


def skipped_condition(query: CampaignQuery) -> tuple[str, dict[str, Any]]:
    """The skipped messages of the selected reason, or of all, as an SQL condition and its parameters."""
    parameters = {"campaign_id": query.campaign_id}
    if not query.skip_reason:
        return "where campaign_id = $campaign_id", parameters
    return "where campaign_id = $campaign_id and skip_reason = $reason", parameters | {"reason": query.skip_reason}


def _search(text: str, *, shows_numbers: bool) -> tuple[str, dict[str, Any]]:
    """A contact is found by a part of its id or by its whole number.

    A part of a number finds a contact only where numbers are shown: otherwise, repeated searches would reveal the number.
    """
    if not text:
        return "", {}
    digits = "".join(character for character in text if character.isdecimal())
    number = f"+{digits.removeprefix('00')}" if digits else ""
    by_number = f"contains({NUMBER}, $digits)" if shows_numbers and len(digits) >= 3 else f"{NUMBER} = $number"
    parameter = {"digits": digits} if "$digits" in by_number else {"number": number}
    return f" and (contains(lower(contact_id), lower($search)) or {by_number})", {"search": text, **parameter}


def contacts(published: Published, query: CampaignQuery, count: int, *, shows_numbers: bool) -> Page:
    """A page of the contacts of a tab, ordered by id. `count` is the number of contacts on the tab, without a search."""
    where, parameters = contacts_condition(query, shows_numbers=shows_numbers)
    return _page(
        published, "delivery_status", "contact_id", where, parameters, query.page, None if query.search else count
    )


def skipped(published: Published, query: CampaignQuery) -> Page:
    """A page of the skipped messages, ordered by contact."""
    where, parameters = skipped_condition(query)
    return _page(published, "skip_reasons", "contact_id, message_id", where, parameters, query.skipped_page, None)


def _page(
    published: Published,
    mart: str,
    key: str,
    where: str,
    parameters: dict[str, Any],
    number: int,
    count: int | None,
) -> Page:
    if count is None:
        count = published.value(f"select count(*) from {MARTS}.{mart} {where}", parameters)
    pages = max(1, -(-count // PAGE_SIZE))
    number = min(number, pages)
    before = (number - 1) * PAGE_SIZE
    shown = min(PAGE_SIZE, count - before)
    # Sorted from the nearer end, so that the last page costs as much as the first.
    from_the_end = before > count / 2
    skip = count - before - shown if from_the_end else before
    ordered = ", ".join(f"{name} {'desc' if from_the_end else 'asc'}" for name in key.split(", "))
    page = f"from {MARTS}.{mart} {where} order by {ordered} limit $shown offset $skip"
    # If possible, only the keys are sorted; the other columns are read for the rows of the page alone.
    rows = (
        f"from {MARTS}.{mart} where rowid in (select rowid {page})" if published.holds_rows(mart) else f"from ({page})"
    )
    page_rows = published.rows(f"select * {rows} order by {key}", {**parameters, "shown": shown, "skip": skip})
    return Page(page_rows, count, number, pages)


def skip_reasons(published: Published, campaign_id: str) -> list[Row]:
    """By skip reason, its description and the numbers of messages and contacts; the most frequent first."""
    return published.rows(
        "select skip_reason, any_value(skip_reason_details) as details, count(*) as messages,"
        f" count(distinct contact_id) as contacts from {MARTS}.skip_reasons where campaign_id = $campaign_id"
        " group by skip_reason order by messages desc, skip_reason",
        {"campaign_id": campaign_id},
    )


# --- over time


@dataclass(frozen=True)
class Series:
    """One line of a chart: a count for each hour, day or month."""

    label: str
    kind: str
    counts: list[int]


@dataclass(frozen=True)
class OverTime:
    """Clicks and orders by hour, day or month, without gaps: `moments` are the starts of the hours, days or months."""

    by: str
    moments: list[datetime]
    clicks: list[Series]
    orders: list[Series]

    @property
    def charts(self) -> list[tuple[str, list[Series]]]:
        """The charts with their headings; a chart without any count is left out."""
        charts = (("Clicks", self.clicks), ("Orders", self.orders))
        return [(heading, series) for heading, series in charts if any(any(line.counts) for line in series)]


_STEPS = (("hour", timedelta(hours=72)), ("day", timedelta(days=92)))
"""The step of a chart up to a length of time; longer times are shown by month."""

_HOURLY_CLICKS = (("marts", "campaign_clicks_hourly"), ("timelines", "campaign_clicks_by_hour"))
"""The schema and the table of hourly clicks: today's, and that of release 0.2, whose builds may be rolled back to."""


def over_time(published: Published, campaign_id: str, zone: str) -> OverTime | None:
    """Clicks and orders from the first to the last; None if there are none. Days begin at midnight in `zone`."""
    events = (
        "select 'direct' as kind, ordered_at as moment, 1 as number from {orders} where attribution = 'direct'"
        " and campaign_id = $campaign_id union all select 'assisted', ordered_at, 1 from {orders}"
        " where attribution = 'assisted' and campaign_id = $campaign_id"
    ).format(orders=f"{MARTS}.attributed_orders")
    hourly_clicks = next((".".join(table) for table in _HOURLY_CLICKS if published.has(*table)), None)
    if hourly_clicks:  # builds of release 0.1 have none
        events += (
            f" union all select 'clicks', hour_at, clicks from {DATABASE}.{hourly_clicks}"
            " where campaign_id = $campaign_id"
        )
    local = f"select kind, timezone($zone, timezone('UTC', moment)) as moment, number from ({events})"
    parameters = {"campaign_id": campaign_id, "zone": zone}
    ((first, last),) = published.connection.execute(
        f"select min(moment), max(moment) from ({local})", parameters
    ).fetchall()
    if first is None:
        return None
    by = next((by for by, longest in _STEPS if last - first < longest), "month")
    counts = {
        (row["kind"], row["start"]): row["number"]
        for row in published.rows(
            f"select kind, date_trunc('{by}', moment)::timestamp as start, sum(number)::bigint as number from ({local})"
            " group by kind, start",
            parameters,
        )
    }
    moments = [min(start for _, start in counts)]
    while moments[-1] < max(start for _, start in counts):
        moments.append(_after(moments[-1], by))

    def series(label: str, kind: str) -> Series:
        return Series(label, kind, [counts.get((kind, moment), 0) for moment in moments])

    return OverTime(
        by, moments, [series("Clicks", "clicks")], [series("Direct", "direct"), series("Assisted", "assisted")]
    )


def _after(moment: datetime, by: str) -> datetime:
    if by == "month":
        return moment.replace(year=moment.year + moment.month // 12, month=moment.month % 12 + 1)
    return moment + (timedelta(hours=1) if by == "hour" else timedelta(days=1))


CONTACT_HEADINGS = {
    "contact_id": "Contact",
    NUMBER: "Number",
    NUMBER_HASH: "Hash of the number",
    "messages_sent": "Messages",
    "last_sent_at": "Last sent",
    "status_at": "Status since",
    "provider": "Provider",
    "provider_status": "Provider's status",
    "error_code": "Error code",
}


def contact_columns(published: Published) -> list[str]:
    """The columns of a contact on a tab, in order."""
    return [name for name in CONTACT_HEADINGS if name != NUMBER_HASH or published.is_masked]
