"""Differences between two builds: rows and columns of each mart, and the metrics of campaigns.

DuckDB computes all of it. Of the contact-level marts, only the campaigns with another row digest are compared row by row.

Not here: the summary of a publication (`warehouse.publish.diff_summary`), which builds exist
(`warehouse.publish.kept_builds`), how a diff is printed (`orchestration.cli.output.builds`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb

from models.marts import DBT_MARTS, SCHEMA, columns
from warehouse.duckdb_tools import SessionLimits, apply_limits, fetch_row, fetch_value, literal, preview_rows
from warehouse.publish.row_digests import row_digests_sql

CAMPAIGN_MARTS = ("campaign_metrics", "campaign_overview")

EARLIER, LATER = "earlier", "later"
"""The names of the two attached builds."""

LARGEST_FIRST = (
    "order by max(abs(value_after - value_before)) over (partition by campaign_id) desc, campaign_id,"
    " abs(value_after - value_before) desc, metric"
)
"""The order of `metric_changes`."""


@dataclass(frozen=True)
class MartChange:
    """The changes of a mart. Rows are matched by its key; the counts are None if a build lacks the key."""

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
    """A metric of a campaign that is in both builds, before and after: messages, contacts, or units of currency."""

    campaign_id: str
    campaign_name: str | None
    last_sent_at: datetime | None
    metric: str
    before: Decimal
    after: Decimal


@dataclass(frozen=True)
class BuildDiff:
    """All changes between two builds. `metric_changes` holds the campaigns with the largest changes, each in full."""

    marts: tuple[MartChange, ...]
    new_campaigns: tuple[str, ...]
    removed_campaigns: tuple[str, ...]
    changed_campaigns: int
    metric_changes: tuple[MetricChange, ...]


def compare(
    limits: SessionLimits, earlier: Path, later: Path, *, campaigns: int | None = 20, campaign_id: str | None = None
) -> BuildDiff:
    """Compares two build files.

    `metric_changes` holds the `campaigns` with the largest changes (None: all campaigns), or one campaign.
    """
    with open_builds(limits, earlier, later) as connection:
        create_metric_changes(connection, CAMPAIGN_MARTS)
        return BuildDiff(
            tuple(_mart_change(connection, mart) for mart in DBT_MARTS),
            campaigns_only_in(connection, LATER, EARLIER),
            campaigns_only_in(connection, EARLIER, LATER),
            count_changed_campaigns(connection),
            _largest_metric_changes(connection, campaigns, campaign_id),
        )


@contextmanager
def open_builds(limits: SessionLimits, earlier: Path, later: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with both builds attached, read-only, as `earlier` and `later`."""
    with duckdb.connect() as connection:
        apply_limits(connection, limits)
        connection.execute(f"attach {literal(earlier)} as {EARLIER} (read_only)")
        connection.execute(f"attach {literal(later)} as {LATER} (read_only)")
        yield connection


def _column_types(connection: duckdb.DuckDBPyConnection, database: str, table: str) -> dict[str, str]:
    """The columns of a mart with their types. Empty if the build has no such mart."""
    types = connection.execute(
        "select column_name, data_type from duckdb_columns()"
        " where database_name = ? and schema_name = ? and table_name = ? order by column_index",
        [database, SCHEMA, table],
    )
    return dict(types.fetchall())


# --- metrics of campaigns


def shared_metrics(connection: duckdb.DuckDBPyConnection, mart: str) -> list[str]:
    """The counts and amounts of a campaign mart that both builds have. Rates follow from them."""
    shared = _column_types(connection, EARLIER, mart).keys() & _column_types(connection, LATER, mart).keys()
    return [
        column.name
        for column in columns(mart)
        if column.sql_type in ("bigint", "decimal(18,2)") and column.name in shared
    ]


def create_metric_changes(connection: duckdb.DuckDBPyConnection, marts: tuple[str, ...]) -> None:
    """Creates the table `metric_changes`: the metrics that differ, of campaigns that are in both builds.

    A metric that is in several marts is compared in the first of them.
    """
    connection.execute(
        "create temporary table metric_changes (campaign_id varchar, campaign_name varchar, last_sent_at timestamp,"
        " metric varchar, value_before decimal(38,2), value_after decimal(38,2))"
    )
    compared: set[str] = set()
    for mart in marts:
        metrics = [metric for metric in shared_metrics(connection, mart) if metric not in compared]
        compared |= set(metrics)
        if not metrics:
            continue
        pairs = ", ".join(
            f"{{metric: '{metric}', value_before: mart_before.{metric}::decimal(38,2),"
            f" value_after: mart_after.{metric}::decimal(38,2)}}"
            for metric in metrics
        )
        connection.execute(
            f"""
            insert into metric_changes
            with paired as (
                select
                    campaign_id, campaign_metrics.campaign_name, campaign_metrics.last_sent_at,
                    unnest([{pairs}]) as pair
                from {EARLIER}.{SCHEMA}.{mart} as mart_before
                join {LATER}.{SCHEMA}.{mart} as mart_after using (campaign_id)
                left join {EARLIER}.{SCHEMA}.campaign_metrics as campaign_metrics using (campaign_id)
            )
            select campaign_id, campaign_name, last_sent_at, pair.metric, pair.value_before, pair.value_after
            from paired
            where pair.value_before is distinct from pair.value_after
            """
        )


def count_changed_campaigns(connection: duckdb.DuckDBPyConnection) -> int:
    return int(fetch_value(connection, "select count(distinct campaign_id) from metric_changes"))


def metric_totals(connection: duckdb.DuckDBPyConnection, mart: str) -> dict[str, tuple[Decimal, Decimal]]:
    """The sums of the shared metrics over all campaigns, before and after, by metric."""
    metrics = shared_metrics(connection, mart)
    sums = ", ".join(f"coalesce(sum({metric}), 0)::decimal(38,2)" for metric in metrics)
    before, after = (
        fetch_row(connection, f"select {sums} from {database}.{SCHEMA}.{mart}") for database in (EARLIER, LATER)
    )
    return dict(zip(metrics, zip(before, after, strict=True), strict=True))


def preview_metric_changes(connection: duckdb.DuckDBPyConnection) -> str:
    """The largest metric changes as a Markdown table."""
    return preview_rows(
        connection,
        "(select campaign_id, campaign_name, metric, value_before as before, value_after as after"
        f" from metric_changes {LARGEST_FIRST})",
    )


def campaigns_only_in(connection: duckdb.DuckDBPyConnection, database: str, other: str) -> tuple[str, ...]:
    """The campaigns of one build that the other build lacks."""
    campaigns = connection.execute(
        f"select campaign_id from {database}.{SCHEMA}.campaign_metrics"
        f" anti join {other}.{SCHEMA}.campaign_metrics using (campaign_id) order by campaign_id"
    )
    return tuple(campaign_id for (campaign_id,) in campaigns.fetchall())


def _largest_metric_changes(
    connection: duckdb.DuckDBPyConnection, campaigns: int | None, campaign_id: str | None
) -> tuple[MetricChange, ...]:
    rows = connection.execute(
        f"""
        with ranked as (
            select *, max(abs(value_after - value_before)) over (partition by campaign_id) as largest
            from metric_changes
            where $campaign_id is null or campaign_id = $campaign_id
        ),
        numbered as (
            select *, dense_rank() over (order by largest desc, campaign_id) as campaign_rank from ranked
        )
        select campaign_id, campaign_name, last_sent_at, metric, value_before, value_after
        from numbered
        where $campaigns is null or campaign_rank <= $campaigns
        {LARGEST_FIRST}
        """,
        {"campaign_id": campaign_id, "campaigns": campaigns},
    )
    return tuple(MetricChange(*row) for row in rows.fetchall())


# --- marts


def _mart_change(connection: duckdb.DuckDBPyConnection, mart: str) -> MartChange:
    before, after = _column_types(connection, EARLIER, mart), _column_types(connection, LATER, mart)
    rows_before, rows_after = (
        int(fetch_value(connection, f"select count(*) from {database}.{SCHEMA}.{mart}")) if types else 0
        for database, types in ((EARLIER, before), (LATER, after))
    )
    same_columns = [name for name in before if before[name] == after.get(name)]
    added = removed = changed = None
    if set(DBT_MARTS[mart].key) <= set(same_columns):
        is_limited = before == after and _create_campaigns_to_compare(connection, mart)
        added, removed, changed = _count_changed_rows(connection, mart, same_columns, is_limited=is_limited)
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


def _create_campaigns_to_compare(connection: duckdb.DuckDBPyConnection, mart: str) -> bool:
    """Creates the table `campaigns_to_compare`: the campaigns with another row digest. False if a build has no digests."""
    digests_before, digests_after = (row_digests_sql(connection, database, mart) for database in (EARLIER, LATER))
    if digests_before is None or digests_after is None:
        return False
    connection.execute(
        f"""
        create or replace temporary table campaigns_to_compare as
        select coalesce(digests_before.campaign_id, digests_after.campaign_id) as campaign_id
        from ({digests_before}) as digests_before
        full join ({digests_after}) as digests_after
            on digests_before.campaign_id is not distinct from digests_after.campaign_id
        where
            (digests_before.row_count, digests_before.digest)
            is distinct from (digests_after.row_count, digests_after.digest)
        """
    )
    return True


def _count_changed_rows(
    connection: duckdb.DuckDBPyConnection, mart: str, names: list[str], *, is_limited: bool
) -> tuple[int, int, int]:
    """The number of added, removed and changed rows. Rows are matched by the key; `names` are the columns to compare."""
    key = DBT_MARTS[mart].key
    content = ", ".join(names)

    def rows_sql(database: str) -> str:
        limit = (
            " semi join campaigns_to_compare on mart.campaign_id is not distinct from campaigns_to_compare.campaign_id"
        )
        return (
            f"select {', '.join(f'mart.{name}' for name in key)}, hash({content}) as content"
            f" from {database}.{SCHEMA}.{mart} as mart{limit if is_limited else ''}"
        )

    on_key = " and ".join(f"rows_before.{name} is not distinct from rows_after.{name}" for name in key)
    added, removed, changed = fetch_row(
        connection,
        f"""
        with rows_before as ({rows_sql(EARLIER)}),
        rows_after as ({rows_sql(LATER)})
        select
            count(*) filter (rows_before.content is null),
            count(*) filter (rows_after.content is null),
            count(*) filter (rows_before.content <> rows_after.content)
        from rows_before full join rows_after on {on_key}
        """,
    )
    return added, removed, changed
