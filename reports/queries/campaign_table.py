"""The campaign table: its filters, order, pages, totals and chart.

All of them are in the link: the same link gives the same table, on the page and as CSV.

Not here: its columns (`reports.queries.first_page.table_columns`), writing CSV (`reports.csv_download`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from models.enums import Attribution, CampaignType
from models.marts import MartColumn
from models.masking import masked
from reports.database import Page, Published, Row, Selection
from reports.links import day, link, one_of, page_number, start_of
from reports.queries.first_page.overview import OverviewQuery
from reports.queries.first_page.table_columns import COLUMNS, NAME, RATES, STANDARD, available_columns, rows_sql
from reports.queries.notices import Unconverted, by_campaign, unconverted, with_orders_not_in_revenue
from reports.queries.search import matches_words
from warehouse.export import RowSelection

SUMS = (
    "direct_orders", "assisted_orders", "revenue", "total_segments", "total_clicks", "total_delivered", "total_sent",
    "unique_clickers", "unsubscribes", "cost", "profit",
)  # fmt: skip
"""Columns with a total. Assisted revenue has none: an order counts in full for each campaign that assisted it."""

CHARTED = (
    "revenue", "total_sent", "total_delivered", "total_clicks", "direct_orders", "delivery_rate",
    "click_to_delivered_rate", "conversion_rate", "revenue_per_message", "cost", "roi", "unsubscribes",
    "unsubscribe_rate",
)  # fmt: skip
"""Columns that the chart can compare campaigns by."""

CAMPAIGNS_CHARTED = 12

FEWEST_DELIVERIES = 100
"""The deliveries that a campaign needs to be ranked by a rate, unless the link says otherwise."""

CLICKERS_SHARE = 5
"""The conversion rate, whose whole is smaller, needs a fifth of them as contacts who clicked."""

LONGEST_NUMBER = 9

NOT_IN_REVENUE = MartColumn(
    "orders_not_in_revenue", "bigint", False, "Direct orders that are not in revenue.", "Orders not in revenue"
)
"""A column of files, beside revenue. The page has the number in the cell of revenue."""

DEFAULT_VIEW = "standard"
"""Stands for the columns of the standard view in a link without other parameters."""


@dataclass(frozen=True)
class TableQuery:
    """What a link to the table asks for. Invalid values in a link are ignored. `overview` is the rest of a link to the page."""

    search: str = ""
    campaign_type: str = ""
    sent_from: date | None = None
    sent_to: date | None = None
    least: int = FEWEST_DELIVERIES
    sort: str = "last_sent_at"
    descending: bool = True
    columns: tuple[str, ...] = STANDARD.columns
    page: int = 1
    chart: str = CHARTED[0]
    overview: OverviewQuery = field(default_factory=OverviewQuery)

    @classmethod
    def of(cls, parameters: Mapping[str, str], columns: Sequence[str]) -> "TableQuery":
        """The query of a link; `columns` are its values of that name, each with names separated by dots."""
        names = {name for value in columns for name in value.split(".")} & set(COLUMNS)
        least = parameters.get("least", "")
        return cls(
            search=parameters.get("search", "").strip(),
            campaign_type=one_of(list(CampaignType), parameters.get("type"), ""),
            sent_from=day(parameters.get("from", "")),
            sent_to=day(parameters.get("to", "")),
            least=int(least) if least.isascii() and least.isdigit() and len(least) <= LONGEST_NUMBER else cls.least,
            sort=one_of(COLUMNS, parameters.get("sort"), cls.sort),
            descending=parameters.get("order", "desc") != "asc",
            columns=tuple(name for name in COLUMNS if name in {NAME, *names}) if names else cls.columns,
            page=page_number(parameters.get("page", "")),
            chart=one_of(CHARTED, parameters.get("chart"), cls.chart),
            overview=OverviewQuery.of(parameters),
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

    @property
    def ranks_by_rate(self) -> bool:
        return self.sort in RATES and self.least > 0

    @property
    def least_base(self) -> int:
        """What a ranking by the conversion rate needs at least of the denominator of this rate."""
        return -(-self.least // CLICKERS_SHARE) if self.sort == "conversion_rate" else 0

    def parameters(self, without: Sequence[str] = (), **changes: Any) -> list[tuple[str, str]]:
        """The parameters of its link that are not at their default, with changes, and without some."""
        query, default = replace(self, **changes), TableQuery()
        values: list[tuple[str, Any]] = [
            *query.overview.parameters(),
            ("search", query.search),
            ("type", query.campaign_type),
            ("from", query.sent_from),
            ("to", query.sent_to),
            ("least", query.least if query.least != default.least else None),
            ("sort", query.sort if query.sort != default.sort else None),
            ("order", None if query.descending else "asc"),
            ("page", query.page if query.page > 1 else None),
            ("chart", query.chart if query.chart != default.chart else None),
            ("columns", ".".join(query.columns) if query.columns != default.columns else None),
        ]
        return [(name, str(value)) for name, value in values if value not in (None, "") and name not in without]

    def link(self, path: str = "/", without: Sequence[str] = (), **changes: Any) -> str:
        """The link for this query with changes. Without parameters, `/` shows the columns that the browser remembers."""
        parameters = self.parameters(without, **changes)
        return link(path, parameters or [("columns", DEFAULT_VIEW)])

    def overview_link(self, **changes: Any) -> str:
        """The link with changes of the overview."""
        return self.link(overview=replace(self.overview, **changes))

    def sorted_by(self, column: str) -> str:
        """The link that sorts by a column; for the current sort column, in the other direction."""
        descending = not self.descending if column == self.sort else COLUMNS[column].sql_type != "varchar"
        return self.link(sort=column, descending=descending, page=1)


@dataclass(frozen=True)
class Table:
    """A page of campaigns and the `totals` of all that match.

    `columns` are those that the build has, `shown` those of the table. `left_out` campaigns are not ranked; `too_few` says what
    they have too few of.
    """

    columns: Mapping[str, MartColumn]
    shown: Sequence[str]
    page: Page
    totals: Row
    left_out: int
    too_few: str


def table(published: Published, query: TableQuery, zone: ZoneInfo) -> Table:
    """A page of the table, with the totals of all campaigns that match the filters. Days begin at midnight in `zone`."""
    available = available_columns(published)
    selection = selected(published, query, zone)
    totals = _totals(published, selection, available)
    page = published.page(selection, query.page, totals["campaigns"])
    shown = [name for name in query.columns if name in available]
    left_out = _left_out(published, query, zone, totals["campaigns"])
    return Table(available, shown, page, totals, left_out, _too_few(published, query))


@dataclass(frozen=True)
class TopCampaigns:
    """The campaigns with the highest `column`, one of `columns`; `left_out` are not ranked (see `Table`)."""

    columns: Sequence[str]
    column: str
    rows: list[Row]
    left_out: int
    too_few: str


def top_campaigns(published: Published, query: TableQuery, zone: ZoneInfo) -> TopCampaigns:
    available = available_columns(published)
    charts = [name for name in CHARTED if name in available]
    query = replace(query, sort=one_of(charts, query.chart, charts[0]), descending=True)
    ranked = selected(published, query, zone)
    rows = published.rows(
        f"select * {ranked.from_sql} order by {ranked.order_sql()} limit {CAMPAIGNS_CHARTED}", ranked.parameters
    )
    left_out = _left_out(published, query, zone, _count(published, ranked))
    return TopCampaigns(charts, query.sort, rows, left_out, _too_few(published, query))


@dataclass(frozen=True)
class ShortRevenue:
    """The orders that are not in revenue: of each campaign of a page, by its id, and of all that match."""

    campaigns: Mapping[str, Unconverted]
    all: Unconverted | None


def short_revenue(published: Published, query: TableQuery, page: Page, zone: ZoneInfo) -> ShortRevenue:
    selection = selected(published, query, zone)
    ids = {"ids": [row["campaign_id"] for row in page.rows]}
    matching = f"orders.campaign_id in (select campaign_id {selection.from_sql})"
    return ShortRevenue(
        by_campaign(published, "orders.campaign_id in (select unnest($ids))", ids),
        unconverted(published, matching, selection.parameters),
    )


def _left_out(published: Published, query: TableQuery, zone: ZoneInfo, ranked: int) -> int:
    """How many campaigns match the filters but are too small to be ranked, if `ranked` are not."""
    if not query.ranks_by_rate:
        return 0
    return _count(published, selected(published, replace(query, least=0), zone)) - ranked


def _too_few(published: Published, query: TableQuery) -> str:
    """Such as: fewer than 100 delivered messages or 20 contacts who clicked."""
    words = f"fewer than {query.least:,} delivered messages"
    if query.least_base and published.settings["conversion_rate_denominator"] == "unique_clickers":
        words += f" or {query.least_base:,} contacts who clicked"
    return words


def _count(published: Published, selection: Selection) -> int:
    (row,) = published.rows(f"select count(*) as campaigns {selection.from_sql}", selection.parameters)
    return int(row["campaigns"])


def _totals(published: Published, selection: Selection, available: Mapping[str, MartColumn]) -> Row:
    """The number of campaigns, the sums, and the rates of the sums, with their parts."""
    rates = {name: rate for name, rate in RATES.items() if name in available}
    parts = {part for rate in rates.values() for part in rate if part not in available}
    sums = [name for name in SUMS if name in available]
    expressions = ", ".join(f"sum({name}) as {name}" for name in (*sums, *sorted(parts)))
    (totals,) = published.rows(
        f"select count(*) as campaigns, {expressions} {selection.from_sql}", selection.parameters
    )
    totals = {name: 0 if value is None and name not in ("cost", "profit") else value for name, value in totals.items()}
    # A mean of the rates would give a campaign to ten contacts the weight of one to a million.
    for name, rate in rates.items():
        times = 1000 if name == "unsubscribe_rate" else 1
        totals[name] = _ratio(totals[rate.part], totals[rate.whole], times)
    return totals


def selected(published: Published, query: TableQuery, zone: ZoneInfo) -> Selection:
    """The campaigns that match the filters, with the columns to show."""
    available = available_columns(published)
    sort = one_of(available, query.sort, TableQuery.sort)
    searched = (NAME, "campaign_id", "last_modified_by")
    filters: list[tuple[str, str, Any]] = [
        (matches_words(searched), "search", query.search),
        ("campaign_type = $type", "type", query.campaign_type),
        ("last_sent_at >= $from", "from", query.sent_from and start_of(query.sent_from, zone)),
        ("last_sent_at < $to", "to", query.sent_to and start_of(query.sent_to + timedelta(days=1), zone)),
        ("total_delivered >= $least", "least", query.ranks_by_rate and query.least),
        ("conversion_base >= $least_base", "least_base", query.least_base),
    ]
    conditions = " and ".join(condition for condition, _, value in filters if value)
    return Selection(
        "campaign_metrics",
        f"where {conditions}" if conditions else "",
        {name: value for _, name, value in filters if value},
        ((sort, query.descending), ("campaign_id", False)),
        [(COLUMNS[name], COLUMNS[name].label) for name in query.columns if name in available],
        rows_sql(published, available),
    )


def selected_for_file(published: Published, query: TableQuery, zone: ZoneInfo) -> Selection:
    """The campaigns that match, with the number of orders that are not in revenue beside revenue if there are some."""
    selection = selected(published, query, zone)
    columns = list(selection.columns or ())
    names = [column.name for column, _ in columns]
    if "revenue" not in names:
        return selection
    with_orders = replace(
        selection,
        parameters={**selection.parameters, "attribution": str(Attribution.DIRECT)},
        columns=[
            *columns[: names.index("revenue") + 1],
            (NOT_IN_REVENUE, NOT_IN_REVENUE.label),
            *columns[names.index("revenue") + 1 :],
        ],
        query=with_orders_not_in_revenue(selection.query),
    )
    (found,) = published.rows(
        f"select coalesce(sum(orders_not_in_revenue), 0) as orders {with_orders.from_sql}", with_orders.parameters
    )
    return with_orders if found["orders"] else selection


def rows_to_export(published: Published, query: TableQuery, zone: ZoneInfo) -> RowSelection:
    """The campaigns that match the filters, with the columns to show, as an export that is kept.

    A number that somebody searched for is masked in the words and not in the link, which no file holds.
    """
    selection = selected_for_file(published, query, zone)
    return RowSelection(
        selection.where,
        selection.parameters,
        selection.order_sql(),
        tuple(column for column, _ in selection.columns or ()),
        masked(query.words),
        query.link(page=1, chart=CHARTED[0], overview=OverviewQuery()),
        selection.query,
    )


def _ratio(part: Any, whole: Any, times: int) -> float | None:
    return times * float(part) / float(whole) if whole and part is not None else None
