"""Differences between two builds: rows and columns of each mart, the metrics of campaigns; and what a publication changes. Of
the contact-level marts, only the campaigns with another row digest are compared row by row.

Not here: which builds exist (`warehouse.publish.kept_builds`), how a diff is printed (`orchestration.cli.output.builds`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import starmap
from pathlib import Path
from typing import Any

import duckdb

from models.marts import BASE_MARTS, DBT_MARTS, MARTS, SCHEMA, columns, qualified
from models.masking import printable
from warehouse.duckdb_tools import SessionLimits, apply_limits, attached, fetch_row, fetch_value, preview_rows
from warehouse.publish.published_file import row_digests_sql
from warehouse.publish.setting_changes import CURRENCY, SettingChange, find_setting_changes

CAMPAIGN_MARTS = ("campaign_metrics", "campaign_overview")

EARLIER, LATER = BUILDS = ("earlier", "later")
"""The names of the two attached builds."""

LARGEST_FIRST = (
    "order by max(abs(value_after - value_before)) over (partition by campaign_id) desc, campaign_id,"
    " abs(value_after - value_before) desc, metric"
)

SETTLED_AFTER = timedelta(days=7)
"""A campaign is settled if its last message was sent longer than this before the end of the data."""
SETTLED_METRICS = ("total_sent", "total_delivered", "revenue")
"""The metrics of a settled campaign that should not change much."""
LARGE_SHARE = Decimal("0.10")
LARGE_AT_LEAST = 100
"""A change of a settled metric by more than this share, and at least so many messages or units of currency, is a warning."""
GROWING_TOTALS = ("total_sent", "total_delivered", "total_clicks")
"""Logs are only added to: a smaller total of one of these metrics is a warning."""
SHRUNK_REVENUE = Decimal("0.01")
"""Refunds reduce revenue: total revenue that is smaller by more than this share is a warning."""
WARNINGS_SHOWN = 5


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
    """All changes between two builds. `metric_changes` holds the campaigns with the largest changes, each in full; no amounts
    if the reporting currency has changed.
    """

    setting_changes: tuple[SettingChange, ...]
    marts: tuple[MartChange, ...]
    new_campaigns: tuple[str, ...]
    removed_campaigns: tuple[str, ...]
    changed_campaigns: int
    metric_changes: tuple[MetricChange, ...]


def compare(
    limits: SessionLimits,
    earlier: Path,
    later: Path,
    *,
    candidate_settings: Mapping[str, Any],
    campaigns: int | None = 20,
    campaign_id: str | None = None,
) -> BuildDiff:
    """Compares two build files. `metric_changes` holds the `campaigns` with the largest changes (None: all), or one campaign.

    `candidate_settings` are the settings of figures of the candidate, which names none before it is published.
    """
    with open_builds(limits, earlier, later) as connection:
        setting_changes = find_setting_changes(connection, EARLIER, LATER, candidate_settings)
        _create_metric_changes(connection, *CAMPAIGN_MARTS, with_amounts=not has_other_currency(setting_changes))
        return BuildDiff(
            setting_changes,
            tuple(_mart_change(connection, mart) for mart in _marts_to_compare(connection)),
            _campaigns_only_in(connection, LATER, EARLIER),
            _campaigns_only_in(connection, EARLIER, LATER),
            _count_changed_campaigns(connection),
            tuple(_largest_metric_changes(connection, campaigns, campaign_id)),
        )


@contextmanager
def open_builds(limits: SessionLimits, earlier: Path, later: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with both builds attached, read-only, as `earlier` and `later`."""
    with attached(earlier=earlier, later=later) as connection:
        apply_limits(connection, limits)
        yield connection


def has_other_currency(changes: tuple[SettingChange, ...]) -> bool:
    """Whether amounts of the two builds are in different currencies."""
    return any(change.name == CURRENCY for change in changes)


def _column_types(connection: duckdb.DuckDBPyConnection, database: str, mart: str) -> dict[str, str]:
    """The columns of a mart with their types. Empty if the build has no such mart."""
    types = connection.execute(
        "select column_name, data_type from duckdb_columns()"
        " where (database_name, schema_name, table_name) = (?, ?, ?) order by column_index",
        [database, MARTS[mart].schema, mart],
    )
    return dict(types.fetchall())


# --- metrics of campaigns


def _shared_metrics(connection: duckdb.DuckDBPyConnection, mart: str, *, with_amounts: bool) -> list[str]:
    """The counts and amounts of a campaign mart that both builds have. Rates follow from them."""
    types = ("bigint", "decimal(18,2)") if with_amounts else ("bigint",)
    before, after = (_column_types(connection, build, mart) for build in BUILDS)
    metrics = [column.name for column in columns(mart) if column.sql_type in types]
    return [metric for metric in metrics if metric in before and metric in after]


def _create_metric_changes(connection: duckdb.DuckDBPyConnection, *marts: str, with_amounts: bool) -> None:
    """Creates the table `metric_changes`, of campaigns in both builds. A metric of several marts is compared in the first."""
    marts_by_metric = {
        metric: mart
        for mart in reversed(marts)
        for metric in _shared_metrics(connection, mart, with_amounts=with_amounts)
    }
    changes = " union all ".join(
        f"select campaign_id, '{metric}' as metric,"
        f" mart_before.{metric}::decimal(38,2) as value_before, mart_after.{metric}::decimal(38,2) as value_after"
        f" from {EARLIER}.{SCHEMA}.{mart} as mart_before join {LATER}.{SCHEMA}.{mart} as mart_after using (campaign_id)"
        " where value_before is distinct from value_after"
        for metric, mart in marts_by_metric.items()
    )
    connection.execute(
        "create temporary table metric_changes as"
        " select campaign_id, campaign_name, last_sent_at, metric, value_before, value_after"
        f" from ({changes}) left join {EARLIER}.{SCHEMA}.campaign_metrics using (campaign_id)"
    )


def _count_changed_campaigns(connection: duckdb.DuckDBPyConnection) -> int:
    return int(fetch_value(connection, "select count(distinct campaign_id) from metric_changes"))


def _campaigns_only_in(connection: duckdb.DuckDBPyConnection, database: str, other: str) -> tuple[str, ...]:
    campaigns = connection.execute(
        f"select campaign_id from {database}.{SCHEMA}.campaign_metrics"
        f" anti join {other}.{SCHEMA}.campaign_metrics using (campaign_id) order by campaign_id"
    )
    return tuple(campaign_id for (campaign_id,) in campaigns.fetchall())


def _largest_metric_changes(
    connection: duckdb.DuckDBPyConnection, campaigns: int | None, campaign_id: str | None
) -> Iterator[MetricChange]:
    rows = connection.execute(
        f"""
        select * exclude (largest)
        from (
            select *, max(abs(value_after - value_before)) over (partition by campaign_id) as largest
            from metric_changes
            where $campaign_id is null or campaign_id = $campaign_id
        )
        qualify $campaigns is null or dense_rank() over (order by largest desc, campaign_id) <= $campaigns
        {LARGEST_FIRST}
        """,
        {"campaign_id": campaign_id, "campaigns": campaigns},
    )
    return starmap(MetricChange, rows.fetchall())


# --- marts


def _marts_to_compare(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The marts of the reports, and the insights that a build has."""
    return [mart for mart in DBT_MARTS if mart in BASE_MARTS or any(_column_types(connection, b, mart) for b in BUILDS)]


def _mart_change(connection: duckdb.DuckDBPyConnection, mart: str) -> MartChange:
    before, after = (_column_types(connection, build, mart) for build in BUILDS)
    rows_before, rows_after = (
        int(fetch_value(connection, f"select count(*) from {build}.{qualified(mart)}")) if types else 0
        for build, types in ((EARLIER, before), (LATER, after))
    )
    same_columns = [name for name in before if before[name] == after.get(name)]
    added = removed = changed = None
    if set(DBT_MARTS[mart].key) <= set(same_columns):
        campaigns = _campaigns_with_another_digest(connection, mart) if before == after else None
        added, removed, changed = _count_changed_rows(connection, mart, same_columns, campaigns)
    return MartChange(
        mart,
        *(rows_before, rows_after),
        *(added, removed, changed),
        tuple(name for name in after if name not in before),
        tuple(name for name in before if name not in after),
        tuple(name for name in before if name in after and name not in same_columns),
    )


def _campaigns_with_another_digest(connection: duckdb.DuckDBPyConnection, mart: str) -> str | None:
    """A query for the campaigns with another row digest. None if a build has no digests of the mart."""
    before, after = (row_digests_sql(connection, build, mart) for build in BUILDS)
    if before is None or after is None:
        return None
    return f"select campaign_id from (({before} except {after}) union all ({after} except {before}))"


def _count_changed_rows(
    connection: duckdb.DuckDBPyConnection, mart: str, names: list[str], campaigns: str | None
) -> tuple[int, ...]:
    """The added, removed and changed rows by key, compared by `names`; of all campaigns, or those of a query."""
    key = DBT_MARTS[mart].key
    limit = f"semi join ({campaigns}) as to_compare on mart.campaign_id is not distinct from to_compare.campaign_id"
    rows_before, rows_after = (
        f"select {', '.join(f'mart.{name}' for name in key)}, hash({', '.join(names)}) as content"
        f" from {build}.{qualified(mart)} as mart {limit if campaigns else ''}"
        for build in BUILDS
    )
    on_key = " and ".join(f"rows_before.{name} is not distinct from rows_after.{name}" for name in key)
    return fetch_row(
        connection,
        f"""
        select
            count(*) filter (rows_before.content is null),
            count(*) filter (rows_after.content is null),
            count(*) filter (rows_before.content <> rows_after.content)
        from ({rows_before}) as rows_before full join ({rows_after}) as rows_after on {on_key}
        """,
    )


# --- the summary of a publication


@dataclass(frozen=True)
class DiffSummary:
    """What a publication changed. `totals` are by metric, before and after; `largest_changes` is a Markdown table."""

    since: str
    new_campaigns: int
    removed_campaigns: int
    changed_campaigns: int
    totals: dict[str, tuple[Decimal, Decimal]]
    warnings: tuple[str, ...]
    largest_changes: str
    setting_changes: tuple[SettingChange, ...] = ()

    def describe(self) -> str:
        parts = [f"{self.new_campaigns:+,} campaigns"]
        if self.removed_campaigns:
            parts.append(f"{self.removed_campaigns:,} campaigns removed")
        for metric, unit in (("total_sent", "messages"), ("total_delivered", "delivered")):
            if metric in self.totals:
                before, after = self.totals[metric]
                parts.append(f"{int(after - before):+,} {unit}")
        if "revenue" in self.totals:
            parts.append(f"revenue {format_change(*self.totals['revenue'])}")
        described = f"since build {self.since}: {', '.join(parts)}, {self.changed_campaigns:,} campaigns changed"
        if self.setting_changes:
            described += f"; settings changed: {', '.join(map(str, self.setting_changes))}"
        return described


def summarize(
    connection: duckdb.DuckDBPyConnection, since: str, data_until: date | None, candidate_settings: Mapping[str, Any]
) -> DiffSummary:
    """Compares the builds of `open_builds`: `since` is the earlier one's id. Raises duckdb.Error if a file is damaged."""
    setting_changes = find_setting_changes(connection, EARLIER, LATER, candidate_settings)
    with_amounts = not has_other_currency(setting_changes)
    _create_metric_changes(connection, "campaign_metrics", with_amounts=with_amounts)
    metrics = _shared_metrics(connection, "campaign_metrics", with_amounts=with_amounts)
    sums = ", ".join(f"coalesce(sum({metric}), 0)::decimal(38,2)" for metric in metrics)
    before, after = (fetch_row(connection, f"select {sums} from {build}.{SCHEMA}.campaign_metrics") for build in BUILDS)
    totals = dict(zip(metrics, zip(before, after, strict=True), strict=True))
    removed = _campaigns_only_in(connection, EARLIER, LATER)
    preview = "campaign_id, campaign_name, metric, value_before as before, value_after as after"
    return DiffSummary(
        since,
        len(_campaigns_only_in(connection, LATER, EARLIER)),
        len(removed),
        _count_changed_campaigns(connection),
        totals,
        (*_warnings_of_totals(totals, removed), *_warnings_of_campaigns(connection, data_until)),
        preview_rows(connection, f"(select {preview} from metric_changes {LARGEST_FIRST})"),
        setting_changes,
    )


def format_number(value: Decimal) -> str:
    """A number with thousands separators, without decimals if it is whole."""
    return f"{int(value):,}" if value == int(value) else f"{value:,}"


def format_change(before: Decimal, after: Decimal) -> str:
    """A change in percent; the difference, if the value before was zero."""
    if before:
        return f"{(after - before) / abs(before):+.1%}"
    return f"{'+' if after > 0 else ''}{format_number(after)}"


def _format_both(before: Decimal, after: Decimal) -> str:
    return f"{format_number(before)} → {format_number(after)} ({format_change(before, after)})"


def _warnings_of_totals(totals: dict[str, tuple[Decimal, Decimal]], removed: tuple[str, ...]) -> Iterator[str]:
    if removed:
        more = ", …" if len(removed) > 3 else ""
        yield f"{len(removed):,} campaigns are gone ({', '.join(printable(name, '?') for name in removed[:3])}{more})"
    for metric, (before, after) in totals.items():
        most = abs(before) * SHRUNK_REVENUE if metric == "revenue" else 0
        if metric in (*GROWING_TOTALS, "revenue") and before - after > most:
            yield f"{metric} of all campaigns shrank: {_format_both(before, after)}"


def _warnings_of_campaigns(connection: duckdb.DuckDBPyConnection, data_until: date | None) -> Iterator[str]:
    if data_until is None:
        return
    rows = connection.execute(
        f"""
        from metric_changes
        where
            last_sent_at < $settled and metric in $metrics
            and abs(value_after - value_before) >= $at_least
            and abs(value_after - value_before) > abs(value_before) * $share
        {LARGEST_FIRST}
        """,
        {
            "settled": datetime.combine(data_until, time.min) - SETTLED_AFTER,
            "metrics": list(SETTLED_METRICS),
            "at_least": LARGE_AT_LEAST,
            "share": LARGE_SHARE,
        },
    )
    changes = list(starmap(MetricChange, rows.fetchall()))
    for change in changes[:WARNINGS_SHOWN]:
        yield (
            f"campaign {printable(change.campaign_id, '?')}, last sent {change.last_sent_at:%Y-%m-%d}: {change.metric}"
            f" {_format_both(change.before, change.after)}"
        )
    if len(changes) > WARNINGS_SHOWN:
        yield f"… and {len(changes) - WARNINGS_SHOWN} more large changes of settled campaigns: sendmart diff"
