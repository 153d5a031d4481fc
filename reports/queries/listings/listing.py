"""A listing: a page of rows of one mart, with filters, search, order, sums by group and a CSV, described in a few lines.

All that a reader chooses is in the link: the same link gives the same rows, on the page and as CSV.

Not here: the listings (`delivery`, `people`, `clicks` beside this module), their routes (`reports.pages.listings`), the HTML
(`templates/listing.html`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from models.marts import MARTS as CONTRACTS
from models.marts import NUMBER, SCHEMA, MartColumn, columns, qualified
from reports.database import DATABASE, MARTS, Published, Row, Selection
from reports.links import day, link, one_of, page_number, start_of
from reports.queries.search import matches_words
from warehouse.duckdb_tools import literal, local_time_sql, masked_value

NONE = "none"
"""The code of a null in a filter."""

MOST_GROUPS, MOST_OPTIONS = 8, 100

_SQL_TYPES = {
    "count": "bigint", "money": "decimal(18,2)", "cost": "decimal(18,6)", "rate": "double", "per_thousand": "double",
    "amount": "double", "duration": "bigint", "moment": "timestamp", "day": "date", "yes_no": "boolean",
}  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """A column of a listing. `kind` formats it: a unit of `formatting.figure`, or one of cost, moment, day, text, long_text,
    id, contact, campaign, number, yes_no. `note` is a column that stands in small letters under it, in a CSV beside it. `unit`:
    that of a duration in a CSV, min or s."""

    name: str
    label: str
    kind: str = "text"
    description: str = ""
    note: "Shown | None" = None
    unit: str = "min"

    @property
    def is_number(self) -> bool:
        return self.kind in _SQL_TYPES and self.kind not in ("moment", "day", "yes_no")

    @property
    def column(self) -> MartColumn:
        """As the column of a mart, for a CSV."""
        return MartColumn(self.name, _SQL_TYPES.get(self.kind, "varchar"), True, self.description, self.label)


class Choice(NamedTuple):
    """A filter by one of the values of a column. `word` is the SQL of its words."""

    parameter: str
    label: str
    column: str
    word: str = ""
    all_label: str = "All"


class Sums(NamedTuple):
    """Sums by group, drawn as bars: the groups with the most. A group links to the rows of its own.

    `key` and `word` are the SQL of a group and its words, `note` that of a sentence under them. `values` are columns with the SQL
    of their sums; the first is drawn.
    """

    title: str
    heading: str
    parameter: str
    key: str
    word: str
    values: tuple[tuple[Shown, str], ...]
    note: str = "null"
    kind: str = ""
    most: int = MOST_GROUPS


@dataclass(frozen=True)
class Listing:
    """What a listing shows.

    `rows`: SQL of the rows, by default those of the mart. `summed`: SQL that sums up `{rows}` after they are filtered.
    `time`: the column of the days in a filter, and `time_label` its words. `searched`: columns in whose words a search looks;
    `finds_contacts`: it also looks for the id or number of a contact. `order`: the column to sort by at first, and whether
    descending; `key` makes the order complete. `totals`: tiles, each a column with the SQL of its value over all rows. `charted`:
    the time of a chart of the rows by day. `campaign_columns` are shown if one campaign is chosen. `noun`: one row, and several.
    `intro`, `notes`, `empty`: what the page says above the rows, under them, and if there are none.
    """

    path: str
    title: str
    noun: tuple[str, str]
    mart: str
    columns: tuple[Shown, ...]
    order: tuple[str, bool]
    key: tuple[str, ...]
    intro: tuple[str, ...]
    empty: str
    notes: tuple[str, ...] = ()
    rows: str = ""
    summed: str = ""
    time: str = ""
    time_label: str = ""
    searched: tuple[str, ...] = ()
    search_label: str = "Search"
    finds_contacts: bool = False
    choices: tuple[Choice, ...] = ()
    totals: tuple[tuple[Shown, str], ...] = ()
    sums: tuple[Sums, ...] = ()
    charted: str = ""
    has_campaigns: bool = True
    campaign_columns: tuple[Shown, ...] = ()
    template: str = "listing.html"

    @property
    def csv_path(self) -> str:
        return f"{self.path}.csv"

    @property
    def is_insight(self) -> bool:
        return CONTRACTS[self.mart].schema != SCHEMA

    @property
    def time_is_day(self) -> bool:
        return any(column.name == self.time and column.kind == "day" for column in self.columns)


@dataclass(frozen=True)
class ListingQuery:
    """What a link to a listing asks for. Invalid values in a link are ignored."""

    listing: Listing
    search: str = ""
    campaign: str = ""
    first_day: date | None = None
    last_day: date | None = None
    chosen: Mapping[str, str] = field(default_factory=dict)
    sort: str = ""
    descending: bool = True
    page: int = 1

    @classmethod
    def of(cls, listing: Listing, parameters: Mapping[str, str]) -> "ListingQuery":
        campaign = parameters.get("campaign", "") if listing.has_campaigns else ""
        columns = (*listing.columns, *(listing.campaign_columns if campaign else ()))
        sort = one_of([column.name for column in columns], parameters.get("sort"), listing.order[0])
        starts_descending = listing.order[1] if sort == listing.order[0] else True
        return cls(
            listing,
            search=parameters.get("search", "").strip(),
            campaign=campaign,
            first_day=day(parameters.get("from", "")) if listing.time else None,
            last_day=day(parameters.get("to", "")) if listing.time else None,
            chosen={
                choice.parameter: parameters[choice.parameter]
                for choice in listing.choices
                if parameters.get(choice.parameter)
            },
            sort=sort,
            descending=one_of(("asc", "desc"), parameters.get("order"), "desc" if starts_descending else "asc")
            == "desc",
            page=page_number(parameters.get("page", "")),
        )

    @property
    def is_filtered(self) -> bool:
        return bool(self.search or self.campaign or self.first_day or self.last_day or self.chosen)

    @property
    def columns(self) -> tuple[Shown, ...]:
        """The columns to show: for one campaign, `campaign_columns` in place of the number of campaigns."""
        if not self.campaign:
            return self.listing.columns
        own = tuple(column for column in self.listing.columns if column.name != "campaigns")
        return (*own, *self.listing.campaign_columns)

    def parameters(self) -> list[tuple[str, Any]]:
        """The parameters of a link, except for the page."""
        is_default = (self.sort, self.descending) == self.listing.order
        return [
            ("search", self.search),
            ("campaign", self.campaign),
            ("from", self.first_day),
            ("to", self.last_day),
            *self.chosen.items(),
            ("sort", None if is_default else self.sort),
            ("order", None if is_default else "desc" if self.descending else "asc"),
        ]

    def link(self, path: str | None = None, **changes: Any) -> str:
        """The link for this query with changes, on its first page. Without a `path`, it leads to the page itself."""
        query = replace(self, **({"page": 1} | changes))
        parameters = [*query.parameters(), ("page", query.page if query.page > 1 else None)]
        return link(path or self.listing.path, parameters)

    def page_link(self, number: int) -> str:
        return f"{self.link(page=number)}#rows"

    def with_choice(self, parameter: str, value: str) -> str:
        """The link that filters by a value; if it is filtered by already, the link without this filter."""
        if parameter == "campaign":
            return self.link(campaign="" if self.campaign == value else value)
        others = {name: chosen for name, chosen in self.chosen.items() if name != parameter}
        is_chosen = self.chosen.get(parameter) == value
        return self.link(chosen=others if is_chosen else others | {parameter: value})

    def is_chosen(self, parameter: str, value: str) -> bool:
        return (self.campaign if parameter == "campaign" else self.chosen.get(parameter)) == value

    def sorted_by(self, column: Shown) -> str:
        """The link that sorts by a column; for the current sort column, in the other direction."""
        descending = not self.descending if column.name == self.sort else column.is_number or column.kind == "moment"
        return self.link(sort=column.name, descending=descending)


@dataclass(frozen=True)
class Reader:
    """Who reads: the time zone of days; whether numbers are masked, by the pages or in the build; whether whole ones are shown,
    so that a search may find a part of one."""

    zone: ZoneInfo
    masks: bool
    build_is_masked: bool
    shows_numbers: bool


def is_known(published: Published, campaign_id: str, listing: Listing) -> bool:
    """Whether a campaign is in the log of campaigns or in the listing."""
    return bool(
        published.rows(
            f"select 1 from {MARTS}.campaigns where campaign_id = $id union all"
            f" (select 1 {from_sql(listing)} where campaign_id = $id limit 1)",
            {"id": campaign_id},
        )
    )


def checked(published: Published, query: ListingQuery) -> ListingQuery:
    """The query without choices of values that no row has."""
    known = {}
    for choice in query.listing.choices:
        value = query.chosen.get(choice.parameter)
        sql = f"select 1 {from_sql(query.listing)} where mart.{choice.column} = $value limit 1"
        if value and published.rows(sql, {"value": value}):
            known[choice.parameter] = value
    return replace(query, chosen=known)


def selected(query: ListingQuery, reader: Reader) -> Selection:
    """The rows that match the filters, with the columns to show."""
    listing = query.listing
    where, parameters = where_sql(query, reader)
    text = listing.rows
    if listing.summed:
        text = listing.summed.replace("{rows}", f"(select * {from_sql(listing)} {where})")
    return Selection(
        listing.mart,
        "" if listing.summed else where,
        parameters,
        ((query.sort, query.descending), *((name, False) for name in listing.key if name != query.sort)),
        [(column.column, column.label) for column in query.columns],
        text,
    )


def totals(published: Published, query: ListingQuery, reader: Reader) -> Row:
    """The values of the tiles, over all rows that match the filters."""
    where, parameters = where_sql(query, reader)
    values = ", ".join(f"{sql} as {column.name}" for column, sql in query.listing.totals)
    (row,) = published.rows(f"select {values} {from_sql(query.listing)} {where}", parameters)
    return row


def groups(published: Published, query: ListingQuery, sums: Sums, reader: Reader) -> list[Row]:
    """The groups with the greatest sums: `key`, `word`, and each value. The filter by the group itself does not count."""
    others = {name: value for name, value in query.chosen.items() if name != sums.parameter}
    campaign = "" if sums.parameter == "campaign" else query.campaign
    where, parameters = where_sql(replace(query, chosen=others, campaign=campaign), reader)
    values = ", ".join(f"{sql} as {column.name}" for column, sql in sums.values)
    first = sums.values[0][0].name
    return published.rows(
        f"select {sums.key} as key, any_value({sums.word}) as word, {sums.note} as note, {values}"
        f" {from_sql(query.listing)} {where} group by all order by {first} desc nulls last, key limit {sums.most}",
        parameters,
    )


def options(published: Published, query: ListingQuery, choice: Choice) -> list[tuple[str, str]]:
    """The values of a filter with their words, in the order of the words; the chosen one is always among them."""
    listing, chosen = query.listing, query.chosen.get(choice.parameter)
    word = choice.word or choice.column
    rows = published.rows(
        f"select distinct {choice.column} as value, {word} as word {from_sql(listing)} order by word, value"
        f" limit {MOST_OPTIONS}"
    )
    values = {str(row["value"]): str(row["word"]) for row in rows if row["value"]}
    return list(({chosen: chosen} | values if chosen else values).items())


def counts_by_day(published: Published, query: ListingQuery, reader: Reader) -> dict[date, int]:
    """The number of rows by day, in the time zone of the reader.

    They are counted by quarters of an hour first: it would take far longer to convert the time of each.
    """
    where, parameters = where_sql(query, reader)
    time = query.listing.charted
    rows = published.rows(
        f"select ({local_time_sql('quarter', reader.zone)})::date as day, sum(rows)::bigint as rows from"
        f" (select time_bucket(interval 15 minute, {time}) as quarter, count(*) as rows {from_sql(query.listing)} {where}"
        " group by quarter) where quarter is not null group by day order by day",
        parameters,
    )
    return {row["day"]: row["rows"] for row in rows}


def from_sql(listing: Listing) -> str:
    rows = f"({listing.rows})" if listing.rows else f"{DATABASE}.{qualified(listing.mart)}"
    return f"from {rows} as mart"


def where_sql(query: ListingQuery, reader: Reader) -> tuple[str, dict[str, Any]]:
    """The SQL condition of the filters, and its parameters."""
    listing = query.listing
    first, end = query.first_day, query.last_day and query.last_day + timedelta(days=1)
    if not listing.time_is_day:
        first, end = first and start_of(first, reader.zone), end and start_of(end, reader.zone)
    filters: list[tuple[str, str, Any]] = [
        ("mart.campaign_id = $campaign", "campaign", query.campaign),
        (f"mart.{listing.time} >= $from", "from", first),
        (f"mart.{listing.time} < $to", "to", end),
        *(
            (f"mart.{choice.column} = ${choice.parameter}", choice.parameter, query.chosen.get(choice.parameter))
            for choice in listing.choices
        ),
    ]
    conditions = [condition for condition, _, value in filters if value]
    parameters = {name: value for _, name, value in filters if value}
    if query.search:
        # Masked texts are searched: otherwise, repeated searches would reveal a number.
        texts = [masked_value(name, f"mart.{name}") if reader.masks else f"mart.{name}" for name in listing.searched]
        found = [matches_words(texts)] if texts else []
        if listing.has_campaigns:
            campaigns = (
                f"select campaign_id from {MARTS}.campaigns where {matches_words(('campaign_name', 'campaign_id'))}"
            )
            found.append(f"mart.campaign_id in ({campaigns})")
        parameters["search"] = query.search
        if listing.finds_contacts:
            digits = "".join(character for character in query.search if character.isdecimal())
            found.append("contains(lower(mart.contact_id), lower($search))")
            if reader.shows_numbers and len(digits) >= 3:
                found.append(f"contains(mart.{NUMBER}, $number)")
                parameters["number"] = digits
            elif digits and has_number(listing):
                found.append(f"mart.{NUMBER} = $number")
                parameters["number"] = f"+{digits.removeprefix('00')}"
        conditions.append(f"({' or '.join(found)})")
    return f"where {' and '.join(conditions)}" if conditions else "", parameters


def has_number(listing: Listing) -> bool:
    return any(column.name == NUMBER for column in columns(listing.mart))


def words_sql(column: str, words: Mapping[Any, str], otherwise: str | None = None) -> str:
    """SQL for the words of a code: the code itself if it has none, and `otherwise` for null."""
    codes, texts = (", ".join(literal(text) for text in part) for part in (words.keys(), words.values()))
    null = "null" if otherwise is None else literal(otherwise)
    return f"coalesce(map([{codes}], [{texts}])[{column}], {column}, {null})"


def campaign_name(published: Published, campaign_id: str) -> str:
    """The name of a campaign, its id if it has none."""
    query = f"select campaign_name from {MARTS}.campaigns where campaign_id = $campaign_id"
    names: Sequence[Row] = published.rows(query, {"campaign_id": campaign_id})
    return str(names[0]["campaign_name"]) if names else campaign_id
