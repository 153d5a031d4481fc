"""What an export of a contact-level report holds: every campaign, or those whose rows changed since the export before.

A report with a row for each contact grows with the history, and next to nothing of it changes in a night. So the first
export of such a report holds every campaign, and each later one, whole, those campaigns of which any row is another than
it was. The published build has a digest of each campaign's rows (`dbt_project/models/intermediate/row_digests`); the
ledger has those of the last export. It does not matter how many builds lie between the two, nor how they were made.

Not here: how a CSV is written (`warehouse.export.exports`).
"""

from dataclasses import dataclass

import duckdb

from warehouse.ledger import Ledger
from warehouse.publish.row_digests import row_digests

NO_CAMPAIGN = ""
"""Stands for the rows of no campaign; a campaign's id has at least one character."""


@dataclass(frozen=True)
class Scope:
    """What of a report is written. `changed` is None for every campaign; else they changed since the file `since`.

    `digests` are those of the build: what the next export is held against.
    """

    changed: list[str] | None
    since: str | None
    digests: dict[str, str]

    @property
    def is_empty(self) -> bool:
        return self.changed == []


def scope_of(
    connection: duckdb.DuckDBPyConnection, database: str, ledger: Ledger, report: str, mode: str, *, all_campaigns: bool
) -> Scope:
    """What the next export of a report holds, from the build that is attached as `database`; written in another mode, the
    same rows are others.
    """
    digests = _digests(connection, database, report, mode)
    exported = ledger.exported_campaigns(report)
    since = ledger.last_export(report)
    if all_campaigns or digests is None or since is None:
        return Scope(None, None, digests or {})
    either = digests.keys() | exported.keys()
    return Scope(sorted(c for c in either if digests.get(c) != exported.get(c)), since, digests)


def _digests(connection: duckdb.DuckDBPyConnection, database: str, report: str, mode: str) -> dict[str, str] | None:
    """By campaign; None for reports with a row for each campaign, and in a build made before there were any."""
    query = row_digests(connection, database, report)
    if query is None:
        return None
    digests = connection.execute(
        f"select coalesce(campaign_id, $none), concat_ws(':', $mode, row_count, digest) from ({query})",
        {"none": NO_CAMPAIGN, "mode": mode},
    )
    return dict(digests.fetchall())
