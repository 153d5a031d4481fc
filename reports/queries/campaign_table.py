"""The campaign table: its filters, order, columns, pages, totals and chart.

All of them are in the link: the same link gives the same table, on the page and as CSV.

Not here: the HTML (`reports/templates`), writing CSV (`reports.csv_download`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from models.enums import CampaignType
from models.marts import columns
from models.masking import masked
from reports.database import MARTS, Page, Published, Row, Selection
from reports.links import day, link, one_of, page_number, start_of
from reports.queries.search import matches_words
from warehouse.export import CAMPAIGN_REPORT_COLUMNS, RowSelection

_BY_NAME = {column.name: column for column in columns("campaign_metrics")}

COLUMNS = {name: _BY_NAME[name] for name in CAMPAIGN_REPORT_COLUMNS}
"""The columns with their labels, in the order of the report."""

DEFAULT_COLUMNS = tuple(name for name in COLUMNS if name != "campaign_id")

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
        return cls(
            search=parameters.get("search", "").strip(),
            campaign_type=one_of(list(CampaignType), parameters.get("type"), ""),
            sent_from=day(parameters.get("from", "")),
            sent_to=day(parameters.get("to", "")),
            sort=one_of(COLUMNS, parameters.get("sort"), cls.sort),
            descending=parameters.get("order", "desc") != "asc",
            columns=tuple(name for name in COLUMNS if name in columns) or DEFAULT_COLUMNS,
            page=page_number(parameters.get("page", "")),
            chart=one_of(CHARTED, parameters.get("chart"), cls.chart),
        )

    @property
    def is_filtered(self) -> bool:
        return bool(self.search or self.campaign_type or self.sent_from or self.sent_to)

    @property
    def words(self) -> str:
        """Which campaigns these are, for a reader."""
        kind = f"{self.campaign_type} campaigns" if self.campaign_type else "Campaigns"
        search = f" that match “{self.search}”" if self.search else ""
        if self.sent_from and self.sent_to:
            days = f"{self.sent_from}" if self.sent_from == self.sent_to else f"{self.sent_from} to {self.sent_to}"
            return f"{kind}{search}, last sent {days}"
        since = f", last sent since {self.sent_from}" if self.sent_from else ""
        until = f", last sent until {self.sent_to}" if self.sent_to else ""
        return f"{kind}{search}{since}{until}"

    def link(self, path: str = "/", **changes: Any) -> str:
        """The link for this query with changes."""
        query = replace(self, **changes)
        parameters: list[tuple[str, Any]] = [
            ("search", query.search),
            ("type", query.campaign_type),
            ("from", query.sent_from),
            ("to", query.sent_to),
            ("sort", query.sort if query.sort != TableQuery.sort else None),
            ("order", None if query.descending else "asc"),
            ("page", query.page if query.page > 1 else None),
            ("chart", query.chart if query.chart != TableQuery.chart else None),
        ]
        if query.columns != DEFAULT_COLUMNS:
            parameters += [("columns", name) for name in query.columns]
        return link(path, parameters)

    def sorted_by(self, column: str) -> str:
        """The link that sorts by a column; for the current sort column, in the other direction."""
        descending = not self.descending if column == self.sort else COLUMNS[column].sql_type != "varchar"
        return self.link(sort=column, descending=descending, page=1)


@dataclass(frozen=True)
class Table:
    """A page of campaigns, the `totals` of all that match the filters, and the campaigns of the chart."""

    page: Page
    totals: Row
    charted: list[Row]


def table(published: Published, query: TableQuery, zone: ZoneInfo) -> Table:
    """A page of the table, with the totals of all campaigns that match the filters. Days begin at midnight in `zone`."""
    selection = selected(query, zone)
    matching = f"from {MARTS}.campaign_metrics {selection.where}"
    sums = ", ".join(f"coalesce(sum({name}), 0) as {name}" for name in SUMS)
    (totals,) = published.rows(f"select count(*) as campaigns, {sums} {matching}", selection.parameters)
    # A mean of the rates would give a campaign to ten contacts the weight of one to a million.
    denominator = published.settings["conversion_rate_denominator"]
    totals["click_to_delivered_rate"] = _ratio(totals["unique_clickers"], totals["total_delivered"])
    totals["conversion_rate"] = _ratio(totals["direct_orders"], totals[denominator])
    charted = published.rows(
        f"select campaign_id, campaign_name, {query.chart} as value {matching}"
        f" order by value desc nulls last, campaign_id limit {CAMPAIGNS_CHARTED}",
        selection.parameters,
    )
    return Table(published.page(selection, query.page, totals["campaigns"]), totals, charted)


def selected(query: TableQuery, zone: ZoneInfo) -> Selection:
    """The campaigns that match the filters, with the columns to show."""
    searched = ("campaign_name", "campaign_id", "last_modified_by")
    filters: list[tuple[str, str, Any]] = [
        (matches_words(searched), "search", query.search),
        ("campaign_type = $type", "type", query.campaign_type),
        ("last_sent_at >= $from", "from", query.sent_from and start_of(query.sent_from, zone)),
        ("last_sent_at < $to", "to", query.sent_to and start_of(query.sent_to + timedelta(days=1), zone)),
    ]
    conditions = " and ".join(condition for condition, _, value in filters if value)
    return Selection(
        "campaign_metrics",
        f"where {conditions}" if conditions else "",
        {name: value for _, name, value in filters if value},
        ((query.sort, query.descending), ("campaign_id", False)),
        [(COLUMNS[name], COLUMNS[name].label) for name in query.columns],
    )


def rows_to_export(query: TableQuery, zone: ZoneInfo) -> RowSelection:
    """The campaigns that match the filters, with the columns to show, as an export that is kept.

    A number that somebody searched for is masked in the words and not in the link, which no file holds.
    """
    selection = selected(query, zone)
    return RowSelection(
        selection.where,
        selection.parameters,
        selection.order_sql(),
        query.columns,
        masked(query.words),
        query.link(page=1, chart=CHARTED[0]),
    )


def _ratio(part: int, whole: int) -> float | None:
    return float(part) / float(whole) if whole else None
