"""What was exported: the files, and what each campaign's rows came to in them."""

from collections.abc import Mapping
from datetime import datetime

from warehouse.ledger.store import Store, now

_NO_FILE = ""

SCHEMA = """
create table if not exists exports (
    report text not null, file text not null, build_id text not null, exported_at text not null,
    primary key (report, file)
);
create table if not exists exported_campaigns (
    report text not null, campaign_id text not null, digest text not null,
    primary key (report, campaign_id)
);
"""


class Exports(Store):
    """Exports by report."""

    def record_export(
        self, report: str, file: str, build_id: str, exported_at: datetime, campaigns: Mapping[str, str]
    ) -> None:
        """Notes an export, and what each campaign's rows came to in it or in those before."""
        with self._transaction() as connection:
            connection.execute(
                "insert or replace into exports values (?, ?, ?, ?)", (report, file, build_id, exported_at.isoformat())
            )
            connection.execute("delete from exported_campaigns where report = ?", (report,))
            connection.executemany(
                "insert into exported_campaigns values (?, ?, ?)",
                [(report, campaign_id, digest) for campaign_id, digest in campaigns.items()],
            )

    def record_unchanged(self, report: str, build_id: str) -> None:
        """Notes that an export of a report from this build would hold nothing: no file belongs to it."""
        with self._transaction() as connection:
            connection.execute(
                "insert or replace into exports values (?, ?, ?, ?)", (report, _NO_FILE, build_id, now().isoformat())
            )

    def last_export(self, report: str) -> str | None:
        """The file that a report was exported to last."""
        with self._transaction() as connection:
            (file,) = connection.execute(
                "select max(file) from exports where report = ? and file <> ?", (report, _NO_FILE)
            ).fetchone()
            return file

    def exported_files(self, report: str) -> list[str]:
        """The files that a report was exported to, those that were pruned since included."""
        with self._transaction() as connection:
            rows = connection.execute("select file from exports where report = ? and file <> ?", (report, _NO_FILE))
            return [row["file"] for row in rows]

    def exported_campaigns(self, report: str) -> dict[str, str]:
        """By campaign, what its rows came to when a report was exported last."""
        with self._transaction() as connection:
            rows = connection.execute("select * from exported_campaigns where report = ?", (report,))
            return {row["campaign_id"]: row["digest"] for row in rows}

    def exported_reports(self, build_id: str) -> set[str]:
        """The reports of which the last export was from a build, or would have held nothing new.

        The last: a build that was gone back to is exported again if another was exported in between.
        """
        with self._transaction() as connection:
            rows = connection.execute("select report, build_id, max(rowid) from exports group by report")
            return {row["report"] for row in rows if row["build_id"] == build_id}

    def forget_exports(self, report: str) -> None:
        """Notes that a report counts as never exported: the next export holds all of it."""
        with self._transaction() as connection:
            connection.execute("delete from exports where report = ?", (report,))
            connection.execute("delete from exported_campaigns where report = ?", (report,))

    def forget_exports_of(self, build_id: str) -> None:
        """Notes that nothing was exported yet of a build as it is now; the files stay."""
        with self._transaction() as connection:
            connection.execute("update exports set build_id = '' where build_id = ?", (build_id,))
