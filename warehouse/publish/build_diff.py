"""What changed between two builds: columns and rows of each mart, figures by campaign, and the gist of it.

All of it is counted in DuckDB. Of the reports with a row for each contact, only the campaigns whose digests differ are
looked at row by row; the gist, which every publication has, reads the campaign table alone.

Not here: which builds there are (`warehouse.publish.publication`), how it is shown (`orchestration.cli.output.builds`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb

from models.marts import DBT_MARTS, SCHEMA, columns
from warehouse.foundation import Settings, apply_limits, literal, preview_rows
from warehouse.publish.row_digests import row_digests_sql

CAMPAIGN_MARTS = ("campaign_metrics", "campaign_overview")

SETTLED_AFTER = timedelta(days=7)
"""A campaign of which the last message was sent longer than this before the end of the data should not move much."""
FIGURES_THAT_SETTLE = ("total_sent", "total_delivered", "revenue")
LARGE_SHARE = Decimal("0.10")
LARGE_AT_LEAST = 100
"""Of a settled campaign, a figure that moves by more than this share, and by at least so many messages or units of
currency, is a warning.
"""
TOTALS_THAT_ONLY_GROW = ("total_sent", "total_delivered", "total_clicks")
"""Logs are only added to: a total of these that shrank is a warning."""
SHRUNK_REVENUE = Decimal("0.01")
"""Refunds take off revenue; total revenue that shrank by more than this share is a warning."""
WARNINGS_SHOWN = 5

_EARLIER, _LATER = "earlier", "later"


@dataclass(frozen=True)
class MartChange:
    """What changed in a mart. Rows are told apart by its key, and are None where the key itself is not in both builds."""

    mart: str
    rows_before: int
    rows_after: int
    added: int | None
    removed: int | None
    changed: int | None
    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]
    columns_retyped: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        rows = (self.added, self.removed, self.changed, self.rows_after - self.rows_before)
        return not (any(rows) or self.columns_added or self.columns_removed or self.columns_retyped)


@dataclass(frozen=True)
class MetricChange:
    """A figure of a campaign that is in both builds, before and after: messages, contacts, or units of currency."""

    campaign_id: str
    campaign_name: str | None
    last_sent_at: datetime | None
    figure: str
    before: Decimal
    after: Decimal


@dataclass(frozen=True)
class Comparison:
    """All that changed between two builds; `moves` are those of the campaigns that moved most, in full."""

    marts: tuple[MartChange, ...]
    new_campaigns: tuple[str, ...]
    gone_campaigns: tuple[str, ...]
    campaigns_moved: int
    moves: tuple[MetricChange, ...]


@dataclass(frozen=True)
class DiffSummary:
    """What a publication changed. `totals` are by figure, before and after; `largest_moves` is a Markdown table."""

    since: str
    new_campaigns: int
    gone_campaigns: int
    campaigns_moved: int
    totals: dict[str, tuple[Decimal, Decimal]]
    warnings: tuple[str, ...]
    largest_moves: str

    def describe(self) -> str:
        words = [f"{self.new_campaigns:+,} campaigns"]
        if self.gone_campaigns:
            words.append(f"{self.gone_campaigns:,} campaigns gone")
        for figure, unit in (("total_sent", "messages"), ("total_delivered", "delivered")):
            if figure in self.totals:
                before, after = self.totals[figure]
                words.append(f"{int(after - before):+,} {unit}")
        if "revenue" in self.totals:
            words.append(f"revenue {change(*self.totals['revenue'])}")
        return f"since build {self.since}: {', '.join(words)}, {self.campaigns_moved:,} campaigns moved"


def change(before: Decimal, after: Decimal) -> str:
    """A move in words: a share of what it was, or, where that was nothing, the difference."""
    if before:
        return f"{(after - before) / abs(before):+.1%}"
    return f"{'+' if after > 0 else ''}{number(after)}"


def compare(
    settings: Settings, earlier: Path, later: Path, *, campaigns: int | None = 20, campaign_id: str | None = None
) -> Comparison:
    """Compares two files of marts; gives the moves of so many campaigns (None: of all), or of one alone."""
    with _attached(settings, earlier, later) as connection:
        _find_moves(connection, CAMPAIGN_MARTS)
        (moved,) = connection.execute("select count(distinct campaign_id) from moves").fetchone()
        return Comparison(
            tuple(_mart_change(connection, mart) for mart in DBT_MARTS),
            _campaigns_only_in(connection, _LATER, _EARLIER),
            _campaigns_only_in(connection, _EARLIER, _LATER),
            moved,
            _moves(connection, campaigns, campaign_id),
        )


def summarize(settings: Settings, since: str, earlier: Path, later: Path, data_until: date | None) -> DiffSummary:
    """The gist of what changed since a build, from the campaign table alone."""
    with _attached(settings, earlier, later) as connection:
        _find_moves(connection, CAMPAIGN_MARTS[:1])
        totals = _totals(connection)
        gone = _campaigns_only_in(connection, _EARLIER, _LATER)
        (moved,) = connection.execute("select count(distinct campaign_id) from moves").fetchone()
        return DiffSummary(
            since,
            len(_campaigns_only_in(connection, _LATER, _EARLIER)),
            len(gone),
            moved,
            totals,
            (*_warnings_of_totals(totals, gone), *_warnings_of_campaigns(connection, data_until)),
            preview_rows(
                connection,
                f"(select campaign_id, campaign_name, figure, value_before as before, value_after as after from moves"
                f" {_LARGEST_FIRST})",
            ),
        )


@contextmanager
def _attached(settings: Settings, earlier: Path, later: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        apply_limits(connection, settings)
        connection.execute(f"attach {literal(earlier)} as {_EARLIER} (read_only)")
        connection.execute(f"attach {literal(later)} as {_LATER} (read_only)")
        yield connection


def _types(connection: duckdb.DuckDBPyConnection, database: str, table: str, schema: str = SCHEMA) -> dict[str, str]:
    """The columns of a table with their types; none where there is no such table."""
    found = connection.execute(
        "select column_name, data_type from duckdb_columns()"
        " where database_name = ? and schema_name = ? and table_name = ? order by column_index",
        [database, schema, table],
    )
    return dict(found.fetchall())


# --- figures by campaign

_LARGEST_FIRST = (
    "order by max(abs(value_after - value_before)) over (partition by campaign_id) desc, campaign_id,"
    " abs(value_after - value_before) desc, figure"
)


def _figures(connection: duckdb.DuckDBPyConnection, mart: str) -> list[str]:
    """Counts and sums of a campaign mart that both builds have; rates follow from these."""
    there = _types(connection, _EARLIER, mart).keys() & _types(connection, _LATER, mart).keys()
    return [
        column.name
        for column in columns(mart)
        if column.sql_type in ("bigint", "decimal(18,2)") and column.name in there
    ]


def _find_moves(connection: duckdb.DuckDBPyConnection, marts: tuple[str, ...]) -> None:
    """Shows as `moves` which figures of campaigns that are in both builds differ."""
    connection.execute(
        "create temporary table moves (campaign_id varchar, campaign_name varchar, last_sent_at timestamp,"
        " figure varchar, value_before decimal(38,2), value_after decimal(38,2))"
    )
    told: set[str] = set()
    for mart in marts:
        figures = [figure for figure in _figures(connection, mart) if figure not in told]
        told |= set(figures)
        if not figures:
            continue
        pairs = ", ".join(
            f"{{figure: '{figure}', value_before: of_earlier.{figure}::decimal(38,2),"
            f" value_after: of_later.{figure}::decimal(38,2)}}"
            for figure in figures
        )
        connection.execute(
            f"""
            insert into moves
            with paired as (
                select
                    campaign_id, metrics.campaign_name, metrics.last_sent_at,
                    unnest([{pairs}]) as pair
                from {_EARLIER}.{SCHEMA}.{mart} as of_earlier
                join {_LATER}.{SCHEMA}.{mart} as of_later using (campaign_id)
                left join {_EARLIER}.{SCHEMA}.campaign_metrics as metrics using (campaign_id)
            )
            select campaign_id, campaign_name, last_sent_at, pair.figure, pair.value_before, pair.value_after
            from paired
            where pair.value_before is distinct from pair.value_after
            """
        )


def _moves(
    connection: duckdb.DuckDBPyConnection, campaigns: int | None, campaign_id: str | None
) -> tuple[MetricChange, ...]:
    found = connection.execute(
        f"""
        with ranked as (
            select *, max(abs(value_after - value_before)) over (partition by campaign_id) as largest
            from moves
            where $campaign_id is null or campaign_id = $campaign_id
        ),
        numbered as (
            select *, dense_rank() over (order by largest desc, campaign_id) as place from ranked
        )
        select campaign_id, campaign_name, last_sent_at, figure, value_before, value_after
        from numbered
        where $campaigns is null or place <= $campaigns
        {_LARGEST_FIRST}
        """,
        {"campaign_id": campaign_id, "campaigns": campaigns},
    )
    return tuple(MetricChange(*row) for row in found.fetchall())


def _campaigns_only_in(connection: duckdb.DuckDBPyConnection, one: str, other: str) -> tuple[str, ...]:
    found = connection.execute(
        f"select campaign_id from {one}.{SCHEMA}.campaign_metrics"
        f" anti join {other}.{SCHEMA}.campaign_metrics using (campaign_id) order by campaign_id"
    )
    return tuple(campaign_id for (campaign_id,) in found.fetchall())


# --- the gist


def _totals(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[Decimal, Decimal]]:
    figures = _figures(connection, "campaign_metrics")
    sums = ", ".join(f"coalesce(sum({figure}), 0)::decimal(38,2)" for figure in figures)
    before, after = (
        connection.execute(f"select {sums} from {database}.{SCHEMA}.campaign_metrics").fetchone()
        for database in (_EARLIER, _LATER)
    )
    return dict(zip(figures, zip(before, after, strict=True), strict=True))


def _warnings_of_totals(totals: dict[str, tuple[Decimal, Decimal]], gone: tuple[str, ...]) -> Iterator[str]:
    if gone:
        yield f"{len(gone):,} campaigns are gone ({', '.join(_shown(campaign) for campaign in gone[:3])}" + (
            ", …)" if len(gone) > 3 else ")"
        )
    for figure, (before, after) in totals.items():
        shrank = before - after
        if (figure in TOTALS_THAT_ONLY_GROW and shrank > 0) or (
            figure == "revenue" and shrank > abs(before) * SHRUNK_REVENUE
        ):
            yield f"{figure} of all campaigns shrank: {_in_words(before, after)}"


def _warnings_of_campaigns(connection: duckdb.DuckDBPyConnection, data_until: date | None) -> Iterator[str]:
    if data_until is None:
        return
    found = connection.execute(
        f"""
        select campaign_id, campaign_name, last_sent_at, figure, value_before, value_after
        from moves
        where
            last_sent_at < $settled and figure in $figures
            and abs(value_after - value_before) >= $at_least
            and abs(value_after - value_before) > abs(value_before) * $share
        {_LARGEST_FIRST}
        """,
        {
            "settled": datetime.combine(data_until, time.min) - SETTLED_AFTER,
            "figures": list(FIGURES_THAT_SETTLE),
            "at_least": LARGE_AT_LEAST,
            "share": LARGE_SHARE,
        },
    ).fetchall()
    large = [MetricChange(*row) for row in found]
    for move in large[:WARNINGS_SHOWN]:
        yield (
            f"campaign {_shown(move.campaign_id)}, last sent {move.last_sent_at:%Y-%m-%d}: {move.figure}"
            f" {_in_words(move.before, move.after)}"
        )
    if len(large) > WARNINGS_SHOWN:
        yield f"… and {len(large) - WARNINGS_SHOWN} more large moves of campaigns that should be settled: sendmart diff"


def _in_words(before: Decimal, after: Decimal) -> str:
    return f"{number(before)} → {number(after)} ({change(before, after)})"


def number(value: Decimal) -> str:
    """A count without, a sum of money with its decimals where it has any."""
    return f"{int(value):,}" if value == int(value) else f"{value:,}"


def _shown(campaign_id: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in campaign_id)


# --- marts


def _mart_change(connection: duckdb.DuckDBPyConnection, mart: str) -> MartChange:
    before, after = _types(connection, _EARLIER, mart), _types(connection, _LATER, mart)
    rows_before, rows_after = (
        connection.execute(f"select count(*) from {database}.{SCHEMA}.{mart}").fetchone()[0] if types else 0
        for database, types in ((_EARLIER, before), (_LATER, after))
    )
    same = [name for name in before if before[name] == after.get(name)]
    added = removed = changed = None
    if set(DBT_MARTS[mart].key) <= set(same):
        is_limited = before == after and _show_changed_campaigns(connection, mart)
        added, removed, changed = _rows(connection, mart, same, is_limited=is_limited)
    return MartChange(
        mart,
        rows_before,
        rows_after,
        added,
        removed,
        changed,
        tuple(name for name in after if name not in before),
        tuple(name for name in before if name not in after),
        tuple(name for name in before if name in after and before[name] != after[name]),
    )


def _show_changed_campaigns(connection: duckdb.DuckDBPyConnection, mart: str) -> bool:
    """Shows as `changed_campaigns` of which campaigns rows of a contact-level mart differ; False where nobody knows."""
    earlier, later = (row_digests_sql(connection, database, mart) for database in (_EARLIER, _LATER))
    if earlier is None or later is None:
        return False
    connection.execute(
        f"""
        create or replace temporary table changed_campaigns as
        select coalesce(of_earlier.campaign_id, of_later.campaign_id) as campaign_id
        from ({earlier}) as of_earlier
        full join ({later}) as of_later
            on of_earlier.campaign_id is not distinct from of_later.campaign_id
        where
            (of_earlier.row_count, of_earlier.digest)
            is distinct from (of_later.row_count, of_later.digest)
        """
    )
    return True


def _rows(
    connection: duckdb.DuckDBPyConnection, mart: str, names: list[str], *, is_limited: bool
) -> tuple[int, int, int]:
    """How many rows came, went, and have another content under the same key."""
    key = DBT_MARTS[mart].key
    content = ", ".join(names)

    def rows_of(database: str) -> str:
        among = (
            " as of_mart semi join changed_campaigns as wanted"
            " on of_mart.campaign_id is not distinct from wanted.campaign_id"
        )
        return (
            f"select {', '.join(key)}, hash({content}) as content"
            f" from {database}.{SCHEMA}.{mart}{among if is_limited else ''}"
        )

    on_key = " and ".join(f"of_earlier.{name} is not distinct from of_later.{name}" for name in key)
    return connection.execute(
        f"""
        with of_earlier as ({rows_of(_EARLIER)}),
        of_later as ({rows_of(_LATER)})
        select
            count(*) filter (of_earlier.content is null),
            count(*) filter (of_later.content is null),
            count(*) filter (of_earlier.content <> of_later.content)
        from of_earlier full join of_later on {on_key}
        """
    ).fetchone()
