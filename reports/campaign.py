"""A campaign's report: its tiles, its message, where its contacts stand, whom it skipped, what was ordered over time.

Contacts are paged, counted and searched by the database; no page holds more than one page of them.

Not here: how it looks (`reports/templates`), how numbers are masked in a page (`reports.formatting`).
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
class TableQuery:
    """What a person asked of a campaign's report. What makes no sense in a link is passed over."""

    campaign_id: str
    tab: DeliveryStatus = DeliveryStatus.DELIVERED
    search: str = ""
    page: int = 1
    skip_reason: str = ""
    skipped_page: int = 1

    @classmethod
    def of(cls, campaign_id: str, query: Mapping[str, str]) -> "TableQuery":
        tab, reason = query.get("tab", ""), query.get("reason", "")
        return cls(
            campaign_id,
            tab=DeliveryStatus(tab) if tab in list(DeliveryStatus) else cls.tab,
            search=query.get("search", "").strip(),
            page=whole_number(query.get("page", ""), 1),
            skip_reason=reason if reason in list(SkipReason) else "",
            skipped_page=whole_number(query.get("skipped", ""), 1),
        )

    @property
    def chosen_tab(self) -> Tab:
        return next(tab for tab in TABS if tab.status == self.tab)

    def link(self, path: str | None = None, **changes: Any) -> str:
        """The link that asks for this, with changes; `path` is that of the page where none is given."""
        asked = replace(self, **changes)
        query = {
            "tab": asked.tab if asked.tab != TableQuery.tab else "",
            "search": asked.search,
            "page": str(asked.page) if asked.page > 1 else "",
            "reason": asked.skip_reason,
            "skipped": str(asked.skipped_page) if asked.skipped_page > 1 else "",
        }
        if path is None:
            path = campaign_path(asked.campaign_id)
        else:
            query = {"campaign": asked.campaign_id, **query}
        words = urlencode({name: value for name, value in query.items() if value})
        return path + ("&" if "?" in path else "?") * bool(words) + words


def campaign_path(campaign_id: str) -> str:
    """The path of a campaign's page. Browsers take a segment of dots for another folder, however it is quoted."""
    if set(campaign_id) <= {"."}:
        return f"/campaigns/?{urlencode({'id': campaign_id})}"
    return f"/campaigns/{quote(campaign_id, safe='')}"


@dataclass(frozen=True)
class Page:
    """A page of contacts, out of how many."""

    contacts: list[Row]
    count: int
    number: int
    pages: int

    @property
    def first(self) -> int:
        return (self.number - 1) * PAGE_SIZE + 1

    @property
    def last(self) -> int:
        return self.first + len(self.contacts) - 1


@dataclass(frozen=True)
class Campaign:
    """What the marts know of a campaign: `overview` and `metrics` are None before it was sent, `details` where the
    campaigns log does not know it.
    """

    campaign_id: str
    overview: Row | None
    metrics: Row | None
    details: Row | None

    @property
    def name(self) -> str | None:
        return (self.details or self.overview or {}).get("campaign_name")


def find(published: Published, campaign_id: str) -> Campaign | None:
    """The campaign of this id, sent or not; None where no mart knows it."""
    of_it = {"campaign_id": campaign_id}
    overview, metrics, details = (
        published.row(f"select * from {MARTS}.{mart} where campaign_id = $campaign_id", of_it)
        for mart in ("campaign_overview", "campaign_metrics", "campaigns")
    )
    return Campaign(campaign_id, overview, metrics, details) if overview or details else None


# --- contacts


def contacts_condition(asked: TableQuery, *, whole_numbers: bool) -> tuple[str, dict[str, Any]]:
    """The contacts of the tab that the search leaves, as an SQL condition and its parameters."""
    parameters = {"campaign_id": asked.campaign_id, "status": str(asked.tab)}
    found, more = _search(asked.search, whole_numbers=whole_numbers)
    return f"where campaign_id = $campaign_id and delivery_status = $status{found}", parameters | more


def skipped_condition(asked: TableQuery) -> tuple[str, dict[str, Any]]:
    """The skipped messages of the reason chosen, or of all."""
    parameters = {"campaign_id": asked.campaign_id}
    if not asked.skip_reason:
        return "where campaign_id = $campaign_id", parameters
    return "where campaign_id = $campaign_id and skip_reason = $reason", parameters | {"reason": asked.skip_reason}


def _search(words: str, *, whole_numbers: bool) -> tuple[str, dict[str, Any]]:
    """A part of a contact's id finds it; so does a number, in whole.

    Where numbers are masked, a part of one must not find it: asked often enough, it would tell the rest.
    """
    if not words:
        return "", {}
    digits = "".join(character for character in words if character.isdecimal())
    number = f"+{digits.removeprefix('00')}" if digits else ""
    by_number = f"contains({NUMBER}, $digits)" if whole_numbers and len(digits) >= 3 else f"{NUMBER} = $number"
    used = {"digits": digits} if "$digits" in by_number else {"number": number}
    return f" and (contains(lower(contact_id), lower($search)) or {by_number})", {"search": words, **used}


def contacts(published: Published, asked: TableQuery, count: int, *, whole_numbers: bool) -> Page:
    """A page of the contacts of a tab, in order of their ids. `count` is how many the tab holds, by the overview."""
    where, parameters = contacts_condition(asked, whole_numbers=whole_numbers)
    return _page(
        published, "delivery_status", "contact_id", where, parameters, asked.page, None if asked.search else count
    )


def skipped(published: Published, asked: TableQuery) -> Page:
    """A page of the skipped messages, in order of contacts."""
    where, parameters = skipped_condition(asked)
    return _page(published, "skip_reasons", "contact_id, message_id", where, parameters, asked.skipped_page, None)


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
    # The nearer end is where it is counted from: the last page is as near as the first.
    from_the_end = before > count / 2
    skip = count - before - shown if from_the_end else before
    ordered = ", ".join(f"{name} {'desc' if from_the_end else 'asc'}" for name in key.split(", "))
    page = f"from {MARTS}.{mart} {where} order by {ordered} limit $shown offset $skip"
    # Sorted are keys alone, where that can be; the other columns are read of the rows that are shown.
    rows = (
        f"from {MARTS}.{mart} where rowid in (select rowid {page})" if published.holds_rows(mart) else f"from ({page})"
    )
    found = published.rows(f"select * {rows} order by {key}", {**parameters, "shown": shown, "skip": skip})
    return Page(found, count, number, pages)


def skip_reasons(published: Published, campaign_id: str) -> list[Row]:
    """How many contacts were skipped for which reason."""
    return published.rows(
        "select skip_reason, any_value(skip_reason_details) as details, count(*) as messages,"
        f" count(distinct contact_id) as contacts from {MARTS}.skip_reasons where campaign_id = $campaign_id"
        " group by skip_reason order by messages desc, skip_reason",
        {"campaign_id": campaign_id},
    )


# --- over time


@dataclass(frozen=True)
class Series:
    """What was counted in each hour, day or month."""

    label: str
    kind: str
    counts: list[int]


@dataclass(frozen=True)
class OverTime:
    """Clicks and orders over the same hours, days or months, those included in which there was nothing."""

    by: str
    moments: list[datetime]
    clicks: list[Series]
    orders: list[Series]

    @property
    def charts(self) -> list[tuple[str, list[Series]]]:
        """What is drawn, under which heading: what never happened is not."""
        drawn = (("Clicks", self.clicks), ("Orders", self.orders))
        return [(heading, series) for heading, series in drawn if any(any(one.counts) for one in series)]


_STEPS = (("hour", timedelta(hours=72)), ("day", timedelta(days=92)))
"""Up to which length of time; what takes longer is shown by the month."""

_HOURLY_CLICKS = (("marts", "campaign_clicks_hourly"), ("timelines", "campaign_clicks_by_hour"))
"""The schema and the table of hourly clicks: today's, and that of release 0.2, whose builds may be rolled back to."""


def over_time(published: Published, campaign_id: str, zone: str) -> OverTime | None:
    """Clicks and orders from the first of them to the last; None without any. A day begins at midnight in `zone`."""
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
    first, last = published.connection.execute(f"select min(moment), max(moment) from ({local})", parameters).fetchone()
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
    """The columns of a contact on a tab, in the order in which they are shown."""
    return [name for name in CONTACT_HEADINGS if name != NUMBER_HASH or published.is_masked]
