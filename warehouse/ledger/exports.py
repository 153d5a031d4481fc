"""Exports: the files of each report, and a digest of each campaign's rows in them."""

from collections.abc import Mapping
from datetime import datetime

from warehouse.ledger.store import Store, now

_NO_FILE = ""

_RECORD = "insert or replace into exports values (?, ?, ?, ?)"


class Exports(Store):
    """Exported files and row digests by report."""

    tables = """
    create table if not exists exports (
        report text not null, file text not null, build_id text not null, exported_at text not null,
        primary key (report, file)
    );
    create table if not exists exported_campaigns (
        report text not null, campaign_id text not null, digest text not null,
        primary key (report, campaign_id)
    );
    """

    def record_export(
        self, report: str, file: str, build_id: str, exported_at: datetime, campaigns: Mapping[str, str]
    ) -> None:
        """Records an export, and the digest of each campaign's rows in it or in earlier ones."""
        with self._transaction() as connection:
            connection.execute(_RECORD, (report, file, build_id, exported_at))
            connection.execute("delete from exported_campaigns where report = ?", (report,))
            rows = [(report, campaign_id, digest) for campaign_id, digest in campaigns.items()]
            connection.executemany("insert into exported_campaigns values (?, ?, ?)", rows)

    def record_unchanged(self, report: str, build_id: str) -> None:
        """Records that a report has nothing new in this build, so that no file was written."""
        self._execute(_RECORD, report, _NO_FILE, build_id, now())

    def last_export(self, report: str) -> str | None:
        """The latest exported file of a report."""
        return max(self.exported_files(report), default=None)

    def exported_files(self, report: str) -> list[str]:
        """All exported files of a report, including those that were pruned."""
        rows = self._rows("select file from exports where report = ? and file <> ?", report, _NO_FILE)
        return [file for (file,) in rows]

    def exported_campaigns(self, report: str) -> dict[str, str]:
        """By campaign, the digest of its rows in the last export of a report."""
        return dict(self._rows("select campaign_id, digest from exported_campaigns where report = ?", report))

    def exported_reports(self, build_id: str) -> set[str]:
        """The reports whose last export, written or skipped as unchanged, was from this build.

        Only the last counts: after a rollback a build is exported again if another was exported in between.
        """
        rows = self._rows("select report, build_id, max(rowid) from exports group by report")
        return {report for report, of_build, _ in rows if of_build == build_id}

    def forget_exports(self, report: str) -> None:
        """Deletes the record of a report's exports: the next one holds all rows."""
        with self._transaction() as connection:
            connection.execute("delete from exports where report = ?", (report,))
            connection.execute("delete from exported_campaigns where report = ?", (report,))

    def forget_exports_of(self, build_id: str) -> None:
        """Marks a build as not exported; the files stay."""
        self._execute("update exports set build_id = '' where build_id = ?", build_id)
