"""The campaign table: which campaigns are shown, in which order, with which columns, and what they come to.

What a person asked for is in the link, and only there: the same link gives the same table, on the page and as CSV.

Not here: how a page looks (`reports/templates`), how a CSV is written (`reports.csv_download`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from models.enums import CampaignType
from models.marts import MartColumn, columns
from reports.database import MARTS, Published, Row
from warehouse.export import CAMPAIGN_REPORT_COLUMNS

COLUMNS: dict[str, MartColumn] = {
    name: column for name in CAMPAIGN_REPORT_COLUMNS for column in columns("campaign_metrics") if column.name == name
}
"""In the order of the report; each has its label."""

SHOWN_AT_FIRST = tuple(name for name in COLUMNS if name != "campaign_id")

PAGE_SIZE = 50

SUMS = (
    "direct_orders", "assisted_orders", "revenue", "total_segments", "total_clicks", "total_delivered", "total_sent",
    "unique_clickers", "unsubscribes",
)  # fmt: skip
"""Columns that add up. Assisted revenue does not: an order counts in full for each campaign that assisted it."""

CHARTED = (
    "revenue", "total_sent", "total_delivered", "total_clicks", "direct_orders", "click_to_delivered_rate",
    "conversion_rate", "unsubscribes",
)  # fmt: skip
"""Figures by which campaigns are compared in a chart."""

CAMPAIGNS_CHARTED = 12


@dataclass(frozen=True)
class TableQuery:
    """What a person asked of the table. What makes no sense in a link is passed over."""

    search: str = ""
    campaign_type: str = ""
    sent_from: date | None = None
    sent_to: date | None = None
    sort: str = "last_sent_at"
    descending: bool = True
    columns: tuple[str, ...] = SHOWN_AT_FIRST
    page: int = 1
    chart: str = CHARTED[0]

    @classmethod
    def of(cls, query: Mapping[str, str], chosen: Sequence[str]) -> "TableQuery":
        """What a link says; `chosen` are the columns, of the link or remembered."""
        sort = query.get("sort", "")
        return cls(
            search=query.get("search", "").strip(),
            campaign_type=query.get("type", "") if query.get("type") in list(CampaignType) else "",
            sent_from=_day(query.get("from", "")),
            sent_to=_day(query.get("to", "")),
            sort=sort if sort in COLUMNS else cls.sort,
            descending=query.get("order", "desc") != "asc",
            columns=tuple(name for name in COLUMNS if name in chosen) or SHOWN_AT_FIRST,
            page=whole_number(query.get("page", ""), 1),
            chart=query.get("chart", "") if query.get("chart") in CHARTED else cls.chart,
        )

    @property
    def is_filtered(self) -> bool:
        return bool(self.search or self.campaign_type or self.sent_from or self.sent_to)

    def link(self, path: str = "/", **changes: Any) -> str:
        """The link that asks for this, with changes."""
        asked = replace(self, **changes)
        query: list[tuple[str, str]] = [
            ("search", asked.search),
            ("type", asked.campaign_type),
            ("from", asked.sent_from.isoformat() if asked.sent_from else ""),
            ("to", asked.sent_to.isoformat() if asked.sent_to else ""),
            ("sort", asked.sort if asked.sort != TableQuery.sort else ""),
            ("order", "" if asked.descending else "asc"),
            ("page", str(asked.page) if asked.page > 1 else ""),
            ("chart", asked.chart if asked.chart != TableQuery.chart else ""),
        ]
        if asked.columns != SHOWN_AT_FIRST:
            query += [("columns", name) for name in asked.columns]
        words = urlencode([(name, value) for name, value in query if value])
        return f"{path}?{words}" if words else path

    def sorted_by(self, column: str) -> str:
        """The link that sorts by a column: by the same again, the other way round."""
        descending = not self.descending if column == self.sort else COLUMNS[column].sql_type != "varchar"
        return self.link(sort=column, descending=descending, page=1)


@dataclass(frozen=True)
class Table:
    """What is shown: a page of campaigns, how many there are in all, and what all of them come to."""

    campaigns: list[Row]
    count: int
    totals: Row
    page: int
    pages: int
    charted: list[Row]

    @property
    def first(self) -> int:
        return (self.page - 1) * PAGE_SIZE + 1

    @property
    def last(self) -> int:
        return self.first + len(self.campaigns) - 1


def table(published: Published, asked: TableQuery, zone: ZoneInfo) -> Table:
    """A page of the table, and the totals of all that the filters leave."""
    where, parameters = condition(asked, zone)
    sums = ", ".join(f"coalesce(sum({name}), 0) as {name}" for name in SUMS)
    totals = published.row(f"select count(*) as campaigns, {sums} from {MARTS}.campaign_metrics {where}", parameters)
    totals |= _rates(totals, published.choices["conversion_rate_denominator"])
    count = totals["campaigns"]
    pages = max(1, -(-count // PAGE_SIZE))
    page = min(asked.page, pages)
    campaigns = published.rows(
        f"select * from {MARTS}.campaign_metrics {where} order by {order(asked)} limit {PAGE_SIZE} offset $offset",
        {**parameters, "offset": (page - 1) * PAGE_SIZE},
    )
    charted = published.rows(
        f"select campaign_id, campaign_name, {asked.chart} as value from {MARTS}.campaign_metrics {where}"
        f" order by value desc nulls last, campaign_id limit {CAMPAIGNS_CHARTED}",
        parameters,
    )
    return Table(campaigns, count, totals, page, pages, charted)


def condition(asked: TableQuery, zone: ZoneInfo) -> tuple[str, dict[str, Any]]:
    """The filters as an SQL condition and its parameters."""
    parts, parameters = [], {}
    if asked.search:
        words = ("campaign_name", "campaign_id", "last_modified_by")
        parts.append("(" + " or ".join(f"contains(lower({word}), lower($search))" for word in words) + ")")
        parameters["search"] = asked.search
    if asked.campaign_type:
        parts.append("campaign_type = $type")
        parameters["type"] = asked.campaign_type
    if asked.sent_from:
        parts.append("last_sent_at >= $from")
        parameters["from"] = _start_of(asked.sent_from, zone)
    if asked.sent_to:
        parts.append("last_sent_at < $to")
        parameters["to"] = _start_of(asked.sent_to + timedelta(days=1), zone)
    return (f"where {' and '.join(parts)}" if parts else ""), parameters


def order(asked: TableQuery) -> str:
    """What to sort by; what is not known comes last either way."""
    return f"{asked.sort} {'desc' if asked.descending else 'asc'} nulls last, campaign_id"


def whole_number(text: str, least: int) -> int:
    return max(least, int(text)) if text.isascii() and text.isdigit() and len(text) <= 9 else least


def _rates(totals: Row, denominator: str) -> Row:
    """Rates of the sums; the mean of rates would weigh a campaign to ten like one to a million."""
    return {
        "click_to_delivered_rate": _ratio(totals["unique_clickers"], totals["total_delivered"]),
        "conversion_rate": _ratio(totals["direct_orders"], totals[denominator]),
    }


def _ratio(part: int, whole: int) -> float | None:
    return float(part) / float(whole) if whole else None


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1990 <= day.year <= 2099 else None


def _start_of(day: date, zone: ZoneInfo) -> datetime:
    """When a day of the reports begins, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC).replace(tzinfo=None)
