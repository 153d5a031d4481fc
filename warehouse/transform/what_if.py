"""Other settings side by side: the marts of other conversion windows and thresholds of suppression, from a build of their own.

Not here: the figures (`dbt_project/models/insights`), how they are printed (`orchestration.cli.output.what_if`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from models.insights import SCHEMA
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import attached
from warehouse.ledger import Ledger
from warehouse.transform.snapshot_build import snapshot_build

MAX_CAMPAIGNS = 20

Rows = list[dict[str, Any]]

_WINDOWS, _SUPPRESSION = "campaign_metrics_by_window", "suppression_what_if"


class NothingToCompute(Exception):
    """No log file is loaded, or no message of the campaign. The message says which."""


@dataclass(frozen=True)
class WhatIf:
    """The figures under each setting, as rows by column name.

    `windows` are those of one campaign, or the sums over all. `campaigns` are those with the largest changes of revenue, with
    the figures of the window in force beside those of each other one; `changed_campaigns` counts all with another figure.
    """

    data_until: date | None
    windows: Rows
    campaigns: Rows
    changed_campaigns: int
    suppression: Rows


def compute_what_if(
    settings: Settings,
    paths: DataPaths,
    ledger: Ledger,
    *,
    windows: Sequence[int] | None = None,
    hard_bounces: Sequence[int] | None = None,
    campaign_id: str | None = None,
) -> WhatIf:
    """Computes both marts from the lake for these settings beside those in force; None: those of the settings.

    Raises:
        NothingToCompute: nothing is loaded, or no message of the campaign.
        BuildFailed, SumTooLarge, LakeDamaged, ErasureUnfinished: as `snapshot_build`.
    """
    if not any(file.accepted for file in ledger.files()):
        raise NothingToCompute("Nothing has been loaded yet")
    changes: dict[str, Any] = {"insights": True}
    if windows:
        changes["what_if_windows"] = ",".join(map(str, windows))
    build = snapshot_build(
        settings.model_copy(update=changes),
        paths,
        ledger,
        selection=["--select", f"+{_WINDOWS}", f"+{_SUPPRESSION}"],
        variables={"what_if_hard_bounces": list(hard_bounces or ())},
    )
    with build as built, attached(candidate=built.paths.candidate) as connection:
        totals, campaigns, changed_campaigns = [], [], 0
        if campaign_id is None:
            totals = _rows(connection, _TOTALS)
            campaigns = _rows(connection, f"{_CHANGES} qualify dense_rank() over ({_LARGEST_FIRST}) <= {MAX_CAMPAIGNS}")
            ((changed_campaigns,),) = connection.execute(
                f"select count(distinct campaign_id) from ({_CHANGES})"
            ).fetchall()
        else:
            query = f"from candidate.{SCHEMA}.{_WINDOWS} where campaign_id = $campaign order by window_hours"
            totals = _rows(connection, query, {"campaign": campaign_id})
            if not totals:
                raise NothingToCompute(
                    f"No message of a campaign {campaign_id!r} is in the lake; logs are loaded until"
                    f" {built.snapshot.data_until}. Ids are case-sensitive"
                )
        suppression = _rows(connection, f"from candidate.{SCHEMA}.{_SUPPRESSION} order by hard_bounces")
        if hard_bounces:
            suppression = [row for row in suppression if row["hard_bounces"] in hard_bounces or row["is_in_force"]]
        return WhatIf(built.snapshot.data_until, totals, campaigns, changed_campaigns, suppression)


_TOTALS = f"""
    select
        window_hours, is_in_force, sum(direct_orders) as direct_orders, sum(assisted_orders) as assisted_orders,
        sum(revenue) as revenue
    from candidate.{SCHEMA}.{_WINDOWS}
    group by all
    order by window_hours"""

_CHANGES = f"""
    select
        campaign_id, metrics.campaign_name, other.window_hours,
        in_force.direct_orders as direct_orders_in_force, other.direct_orders,
        in_force.assisted_orders as assisted_orders_in_force, other.assisted_orders,
        in_force.revenue as revenue_in_force, other.revenue,
        max(abs(other.revenue - in_force.revenue)) over (partition by campaign_id) as largest_change
    from candidate.{SCHEMA}.{_WINDOWS} as other
    join candidate.{SCHEMA}.{_WINDOWS} as in_force using (campaign_id)
    join candidate.marts.campaign_metrics as metrics using (campaign_id)
    where
        in_force.is_in_force
        and (other.direct_orders, other.assisted_orders, other.revenue, other.assisted_revenue)
        <> (in_force.direct_orders, in_force.assisted_orders, in_force.revenue, in_force.assisted_revenue)"""

_LARGEST_FIRST = "order by largest_change desc, campaign_id"


def _rows(connection: duckdb.DuckDBPyConnection, query: str, parameters: dict[str, str] | None = None) -> Rows:
    cursor = connection.execute(query, parameters or {})
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
