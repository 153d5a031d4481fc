"""The summary of what a publication changes, from `campaign_metrics` alone, with warnings of unusual changes.

Not here: the full diff of two builds (`warehouse.publish.build_diff`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import duckdb

from warehouse.publish.build_diff import (
    CAMPAIGN_MARTS,
    EARLIER,
    LARGEST_FIRST,
    LATER,
    MetricChange,
    campaigns_only_in,
    count_changed_campaigns,
    create_metric_changes,
    metric_totals,
    preview_metric_changes,
)

SETTLED_AFTER = timedelta(days=7)
"""A campaign is settled if its last message was sent longer than this before the end of the data."""
SETTLED_METRICS = ("total_sent", "total_delivered", "revenue")
"""The metrics of a settled campaign that should not change much."""
LARGE_SHARE = Decimal("0.10")
LARGE_AT_LEAST = 100
"""A change of a settled metric is a warning if it is more than this share, and at least so many messages or units of
currency.
"""
GROWING_TOTALS = ("total_sent", "total_delivered", "total_clicks")
"""Logs are only added to: a smaller total of one of these metrics is a warning."""
SHRUNK_REVENUE = Decimal("0.01")
"""Refunds reduce revenue: total revenue that is smaller by more than this share is a warning."""
WARNINGS_SHOWN = 5


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
        return f"since build {self.since}: {', '.join(parts)}, {self.changed_campaigns:,} campaigns changed"


def summarize(connection: duckdb.DuckDBPyConnection, since: str, data_until: date | None) -> DiffSummary:
    """Compares two builds that `warehouse.publish.open_builds` has attached.

    `since` is the id of the earlier build, `data_until` the end of the data of the later one.

    Raises:
        duckdb.Error: a file is damaged, or has no `campaign_metrics`.
    """
    create_metric_changes(connection, CAMPAIGN_MARTS[:1])
    totals = metric_totals(connection, "campaign_metrics")
    removed = campaigns_only_in(connection, EARLIER, LATER)
    return DiffSummary(
        since,
        len(campaigns_only_in(connection, LATER, EARLIER)),
        len(removed),
        count_changed_campaigns(connection),
        totals,
        (*_warnings_of_totals(totals, removed), *_warnings_of_campaigns(connection, data_until)),
        preview_metric_changes(connection),
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
        yield f"{len(removed):,} campaigns are gone ({', '.join(map(_printable, removed[:3]))}{more})"
    for metric, (before, after) in totals.items():
        decrease = before - after
        if (metric in GROWING_TOTALS and decrease > 0) or (
            metric == "revenue" and decrease > abs(before) * SHRUNK_REVENUE
        ):
            yield f"{metric} of all campaigns shrank: {_format_both(before, after)}"


def _warnings_of_campaigns(connection: duckdb.DuckDBPyConnection, data_until: date | None) -> Iterator[str]:
    if data_until is None:
        return
    rows = connection.execute(
        f"""
        select campaign_id, campaign_name, last_sent_at, metric, value_before, value_after
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
    ).fetchall()
    changes = [MetricChange(*row) for row in rows]
    for change in changes[:WARNINGS_SHOWN]:
        yield (
            f"campaign {_printable(change.campaign_id)}, last sent {change.last_sent_at:%Y-%m-%d}: {change.metric}"
            f" {_format_both(change.before, change.after)}"
        )
    if len(changes) > WARNINGS_SHOWN:
        yield f"… and {len(changes) - WARNINGS_SHOWN} more large changes of settled campaigns: sendmart diff"


def _printable(campaign_id: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in campaign_id)
