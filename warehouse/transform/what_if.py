"""Other settings side by side: the marts of other conversion windows and thresholds of suppression, from a build of their own.

Not here: the figures (`dbt_project/models/insights`), how they are printed (`orchestration.cli.output.what_if`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from models.insights import SCHEMA
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import attached, fetch_value
from warehouse.ledger import Ledger
from warehouse.transform.snapshot_build import snapshot_build

Rows = list[dict[str, Any]]
"""Rows by column name."""

_BY_WINDOW, _BY_HARD_BOUNCES = (
    f"candidate.{SCHEMA}.campaign_metrics_by_window",
    f"candidate.{SCHEMA}.suppression_what_if",
)

_CHANGES = f"""
    select
        campaign_id, metrics.campaign_name, other.window_hours,
        in_force.direct_orders as direct_orders_in_force, other.direct_orders,
        in_force.assisted_orders as assisted_orders_in_force, other.assisted_orders,
        in_force.revenue as revenue_in_force, other.revenue,
        max(abs(other.revenue - in_force.revenue)) over (partition by campaign_id) as largest_change
    from {_BY_WINDOW} as other
    join {_BY_WINDOW} as in_force using (campaign_id)
    join candidate.marts.campaign_metrics as metrics using (campaign_id)
    where
        in_force.is_in_force
        and (other.direct_orders, other.assisted_orders, other.revenue, other.assisted_revenue)
        <> (in_force.direct_orders, in_force.assisted_orders, in_force.revenue, in_force.assisted_revenue)"""
"""The campaigns and windows with another figure than with the window in force."""


class NothingToCompute(Exception):
    """No log file is loaded, or no message of the campaign. The message says which."""


@contextmanager
def what_if(
    settings: Settings,
    paths: DataPaths,
    ledger: Ledger,
    *,
    windows: Sequence[int] | None = None,
    hard_bounces: Sequence[int] | None = None,
) -> Iterator["WhatIf"]:
    """Computes both marts from the lake for these settings and those in force; None: those that are configured.

    Raises:
        NothingToCompute: nothing is loaded.
        BuildFailed, SumTooLarge, LakeDamaged, ErasureUnfinished: as `snapshot_build`.
    """
    if not any(file.accepted for file in ledger.files()):
        raise NothingToCompute("Nothing has been loaded yet")
    changes: dict[str, Any] = {"insights": True}
    if windows:
        changes["what_if_windows"] = ",".join(map(str, windows))
    marts = [f"+{mart.rpartition('.')[2]}" for mart in (_BY_WINDOW, _BY_HARD_BOUNCES)]
    build = snapshot_build(
        settings.model_copy(update=changes),
        paths,
        ledger,
        selection=["--select", *marts],
        variables={"what_if_hard_bounces": list(hard_bounces or ())},
    )
    with build as built, attached(candidate=built.paths.candidate) as connection:
        yield WhatIf(connection, built.snapshot.data_until, hard_bounces)


@dataclass(frozen=True)
class WhatIf:
    """The figures under each setting, as long as the block of `what_if` lasts. Columns are those of the marts."""

    connection: duckdb.DuckDBPyConnection
    data_until: date | None
    hard_bounces: Sequence[int] | None

    def totals(self) -> Rows:
        """The additive figures over all campaigns by window."""
        return self._rows(
            "select window_hours, is_in_force, sum(direct_orders) as direct_orders, sum(assisted_orders) as assisted_orders,"
            f" sum(revenue) as revenue from {_BY_WINDOW} group by all order by window_hours"
        )

    def of_campaign(self, campaign_id: str) -> Rows:
        """The figures of a campaign by window. Raises NothingToCompute if no message of it is in the lake."""
        query = f"from {_BY_WINDOW} where campaign_id = $campaign order by window_hours"
        if rows := self._rows(query, {"campaign": campaign_id}):
            return rows
        raise NothingToCompute(
            f"No message of a campaign {campaign_id!r} is in the lake; logs are loaded until {self.data_until}."
            " Ids are case-sensitive"
        )

    def largest_changes(self, campaigns: int) -> Rows:
        """The figures of the campaigns whose revenue changes most, by window, beside those with the window in force."""
        largest_first = "order by largest_change desc, campaign_id"
        return self._rows(
            f"from ({_CHANGES}) qualify dense_rank() over ({largest_first}) <= {campaigns} {largest_first}, window_hours"
        )

    def changed_campaigns(self) -> int:
        """The number of campaigns with another figure in one of the windows."""
        return int(fetch_value(self.connection, f"select count(distinct campaign_id) from ({_CHANGES})"))

    def suppression(self) -> Rows:
        """The figures by threshold: the asked ones, or all, and the one in force."""
        rows = self._rows(f"from {_BY_HARD_BOUNCES} order by hard_bounces")
        asked = self.hard_bounces
        return [row for row in rows if asked is None or row["hard_bounces"] in asked or row["is_in_force"]]

    def _rows(self, query: str, parameters: Mapping[str, str] | None = None) -> Rows:
        cursor = self.connection.execute(query, parameters or {})
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
