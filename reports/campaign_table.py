"""The campaign table: its filters, order, columns, pages, totals and chart.

All of them are in the link: the same link gives the same table, on the page and as CSV.

Not here: the HTML (`reports/templates`), writing CSV (`reports.csv_download`).
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
"""The columns with their labels, in the order of the report."""

DEFAULT_COLUMNS = tuple(name for name in COLUMNS if name != "campaign_id")

PAGE_SIZE = 50

SUMS = (
    "direct_orders", "assisted_orders", "revenue", "total_segments", "total_clicks", "total_delivered", "total_sent",
    "unique_clickers", "unsubscribes",
)  # fmt: skip
"""Columns with a total. Assisted revenue has none: an order counts in full for each campaign that assisted it."""

CHARTED = (
    "revenue", "total_sent", "total_delivered", "total_clicks", "direct_orders", "click_to_delivered_rate",
    "conversion_rate", "unsubscribes",
)  # fmt: skip
"""Columns that the chart can compare campaigns by."""

CAMPAIGNS_CHARTED = 12


@dataclass(frozen=True)
class TableQuery:
    """What a link to the table asks for. Invalid values in a link are ignored."""

    search: str = ""
    campaign_type: str = ""
    sent_from: date | None = None
    sent_to: date | None = None
    sort: str = "last_sent_at"
    descending: bool = True
    columns: tuple[str, ...] = DEFAULT_COLUMNS
    page: int = 1
    chart: str = CHARTED[0]

    @classmethod
    def of(cls, parameters: Mapping[str, str], columns: Sequence[str]) -> "TableQuery":
        """The query of a link; `columns` are those of the link or of the cookie."""
        sort = parameters.get("sort", "")
        return cls(
            search=parameters.get("search", "").strip(),
            campaign_type=parameters.get("type", "") if parameters.get("type") in list(CampaignType) else "",
            sent_from=_day(parameters.get("from", "")),
            sent_to=_day(parameters.get("to", "")),
            sort=sort if sort in COLUMNS else cls.sort,
            descending=parameters.get("order", "desc") != "asc",
            columns=tuple(name for name in COLUMNS if name in columns) or DEFAULT_COLUMNS,
            page=whole_number(parameters.get("page", ""), 1),
            chart=parameters.get("chart", "") if parameters.get("chart") in CHARTED else cls.chart,
        )

    @property
    def is_filtered(self) -> bool:
        return bool(self.search or self.campaign_type or self.sent_from or self.sent_to)

    def link(self, path: str = "/", **changes: Any) -> str:
        """The link for this query with changes."""
        query = replace(self, **changes)
        parameters: list[tuple[str, str]] = [
            ("search", query.search),
            ("type", query.campaign_type),
            ("from", query.sent_from.isoformat() if query.sent_from else ""),
            ("to", query.sent_to.isoformat() if query.sent_to else ""),
            ("sort", query.sort if query.sort != TableQuery.sort else ""),
            ("order", "" if query.descending else "asc"),
            ("page", str(query.page) if query.page > 1 else ""),
            ("chart", query.chart if query.chart != TableQuery.chart else ""),
        ]
        if query.columns != DEFAULT_COLUMNS:
            parameters += [("columns", name) for name in query.columns]
        encoded = urlencode([(name, value) for name, value in parameters if value])
        return f"{path}?{encoded}" if encoded else path

    def sorted_by(self, column: str) -> str:
        """The link that sorts by a column; for the current sort column, in the other direction."""
        descending = not self.descending if column == self.sort else COLUMNS[column].sql_type != "varchar"
        return self.link(sort=column, descending=descending, page=1)


@dataclass(frozen=True)
class Table:
    """A page of campaigns, the `count` and `totals` of all that match the filters, and the campaigns of the chart."""

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


def table(published: Published, query: TableQuery, zone: ZoneInfo) -> Table:
    """A page of the table, with the totals of all campaigns that match the filters. Days begin at midnight in `zone`."""
    where, parameters = condition(query, zone)
    sums = ", ".join(f"coalesce(sum({name}), 0) as {name}" for name in SUMS)
    (totals,) = published.rows(
        f"select count(*) as campaigns, {sums} from {MARTS}.campaign_metrics {where}", parameters
    )
    totals |= _rates(totals, published.settings["conversion_rate_denominator"])
    count = totals["campaigns"]
    pages = max(1, -(-count // PAGE_SIZE))
    page = min(query.page, pages)
    campaigns = published.rows(
        f"select * from {MARTS}.campaign_metrics {where} order by {order(query)} limit {PAGE_SIZE} offset $offset",
        {**parameters, "offset": (page - 1) * PAGE_SIZE},
    )
    charted = published.rows(
        f"select campaign_id, campaign_name, {query.chart} as value from {MARTS}.campaign_metrics {where}"
        f" order by value desc nulls last, campaign_id limit {CAMPAIGNS_CHARTED}",
        parameters,
    )
    return Table(campaigns, count, totals, page, pages, charted)


def condition(query: TableQuery, zone: ZoneInfo) -> tuple[str, dict[str, Any]]:
    """The filters as an SQL condition and its parameters."""
    parts: list[str] = []
    parameters: dict[str, Any] = {}
    if query.search:
        searched = ("campaign_name", "campaign_id", "last_modified_by")
        parts.append("(" + " or ".join(f"contains(lower({column}), lower($search))" for column in searched) + ")")
        parameters["search"] = query.search
    if query.campaign_type:
        parts.append("campaign_type = $type")
        parameters["type"] = query.campaign_type
    if query.sent_from:
        parts.append("last_sent_at >= $from")
        parameters["from"] = _start_of(query.sent_from, zone)
    if query.sent_to:
        parts.append("last_sent_at < $to")
        parameters["to"] = _start_of(query.sent_to + timedelta(days=1), zone)
    return (f"where {' and '.join(parts)}" if parts else ""), parameters


def order(query: TableQuery) -> str:
    """The `order by` expressions. Nulls come last in both directions."""
    return f"{query.sort} {'desc' if query.descending else 'asc'} nulls last, campaign_id"


def whole_number(text: str, least: int) -> int:
    """The number in a link, at least `least`; `least` for any other text."""
    return max(least, int(text)) if text.isascii() and text.isdigit() and len(text) <= 9 else least


def _rates(totals: Row, denominator: str) -> Row:
    """Rates of the sums. A mean of the rates would give a campaign to ten contacts the weight of one to a million."""
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
    """Midnight of a day in `zone`, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC).replace(tzinfo=None)
