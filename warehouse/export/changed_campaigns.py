"""Which campaigns a scheduled export of a contact-level report holds: all, or those that changed since the last export.

A report with one row per contact grows with the history, and a night changes few of its rows. So the first export of
such a report holds every campaign. Each later export holds all rows of the changed campaigns. The
published build has a digest of the rows of each campaign (`dbt_project/models/intermediate/row_digests`); the ledger has
the digests of the last export. It does not matter how many builds lie between the two, nor how they were built.

Not here: how an export is written (`warehouse.export.exports`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from warehouse.export.report_sql import NO_CAMPAIGN


@dataclass(frozen=True)
class Scope:
    """The campaigns of an export. `changed` is None for every campaign; otherwise they changed since the file `since`.

    `digests` are those of the build, by campaign: the next export compares with them.
    """

    changed: list[str] | None
    since: str | None
    digests: dict[str, str]

    @property
    def is_empty(self) -> bool:
        return self.changed == []


def next_scope(
    digests: dict[str, str] | None, exported: Mapping[str, str], since: str | None, *, all_campaigns: bool
) -> Scope:
    """The scope of the next export.

    `digests` are those of the build, or None if the report has none; `exported` are those of the last export, the file
    `since`.
    """
    if all_campaigns or digests is None or since is None:
        return Scope(None, None, digests or {})
    campaigns = digests.keys() | exported.keys()
    return Scope(sorted(name for name in campaigns if digests.get(name) != exported.get(name)), since, digests)


def read_digests(connection: duckdb.DuckDBPyConnection, row_digests_sql: str, mode: str) -> dict[str, str]:
    """The digests of a build by campaign. `mode` is part of each: the same rows written in another mode differ."""
    digests = connection.execute(
        "select coalesce(campaign_id, $no_campaign), concat_ws(':', $mode, row_count, digest)"
        f" from ({row_digests_sql})",
        {"no_campaign": NO_CAMPAIGN, "mode": mode},
    )
    return dict(digests.fetchall())
