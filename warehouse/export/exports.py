"""Exports of the published marts: written, described, and pruned after the retention.

An export is `exports/<report>/<report>_<YYYYMMDDTHHMMSSZ>.csv`, with a `.json` of the same name that describes it. UTF-8,
LF, rows sorted by key, null empty, timestamps in ISO 8601 with `Z`.

An export of one campaign, a spreadsheet (`.xlsx`), and any export of a report that is not scheduled is a copy on request.
It is in the same folder and is pruned with the others. The ledger does not record it, so it does not change what the next
scheduled export holds.

Not here: which campaigns a scheduled export holds (`warehouse.export.changed_campaigns`), the rows and cells
(`warehouse.export.report_sql`), how a spreadsheet is written (`warehouse.export.xlsx`), when exports run
(`orchestration/`), the meaning of the columns (`models.marts`).
"""

import json
import logging
import stat
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from models.marts import SCHEMA
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import apply_limits, literal
from warehouse.export import xlsx
from warehouse.export.changed_campaigns import Scope, next_scope, read_digests
from warehouse.export.file_names import FileFormat, export_time, next_export_name
from warehouse.export.report_sql import ReportQuery, has_phone_numbers
from warehouse.ledger import Ledger, now
from warehouse.publish import is_masked, row_digests_sql
from warehouse.storage import AnyPath, atomic_replace, hash_of, is_object, names_in, remove

REPORTS = ("campaign_metrics", "campaign_overview", "delivery_status", "skip_reasons", "attributed_unsubscribes")
"""The scheduled reports: exported after each publication."""

ON_REQUEST = (*REPORTS, "attributed_orders")
"""The reports that can be requested. Each has the column `campaign_id`."""

_PUBLISHED = "published"
_ROWS_PER_BATCH = 10_000

log = logging.getLogger("sendmart")


class NothingPublished(Exception):
    """There is no published build to export from."""


class ExportRefused(Exception):
    """The request cannot be exported. The message gives the reason."""


@dataclass(frozen=True)
class Export:
    """An export, as its `.json` describes it.

    `campaigns` is `all`, or lists the campaigns in the file: those with a row that was added, changed or removed
    since the export `changed_since`. The file holds all rows of such a campaign; "" stands for rows without a campaign.
    `phone_numbers` is `whole` or `masked`, or None for a report without them.
    """

    report: str
    file: str
    build_id: str
    exported_at: str
    rows: int
    sha256: str
    campaigns: str | list[str]
    changed_since: str | None
    phone_numbers: str | None


@dataclass(frozen=True)
class Unchanged:
    """A report that was not exported: no row has changed since the export `since`."""

    report: str
    since: str


def export(
    settings: Settings,
    paths: DataPaths,
    ledger: Ledger,
    reports: Iterable[str] = REPORTS,
    *,
    all_campaigns: bool = False,
    campaign: str | None = None,
    file_format: FileFormat = FileFormat.CSV,
    masks_phone_numbers: bool = False,
) -> list[Export | Unchanged]:
    """Exports reports of the published build.

    A contact-level report holds the campaigns that changed since its last export, or every campaign with `all_campaigns`.
    With a `campaign`, or as a spreadsheet, the export is a copy on request; `masks_phone_numbers` masks the numbers in it.

    Raises:
        NothingPublished: there is no published build.
        ExportRefused: no mart has the campaign, or a spreadsheet cannot hold the rows.
    """
    if not paths.published_marts.exists():
        raise NothingPublished(f"nothing has been published yet: {paths.published_marts} does not exist")
    with duckdb.connect() as connection:
        apply_limits(connection, settings)
        # One connection for all reports: all are of one build, even if another build is published meanwhile.
        connection.execute(f"attach {literal(paths.published_marts)} as {_PUBLISHED} (read_only)")
        if campaign is not None and not _has_campaign(connection, campaign):
            raise ExportRefused(f"the published build knows no campaign {campaign!r}")
        exporter = _Exporter(settings, paths, connection)
        results: list[Export | Unchanged] = []
        for report in reports:
            if campaign is not None or file_format is not FileFormat.CSV or report not in REPORTS:
                scope = Scope(None if campaign is None else [campaign], None, {})
                results.append(
                    exporter.write(report, scope, file_format, campaign, masks_phone_numbers=masks_phone_numbers)[0]
                )
            else:
                results.append(_export_scheduled(exporter, ledger, report, all_campaigns=all_campaigns))
        return results


def _has_campaign(connection: duckdb.DuckDBPyConnection, campaign: str) -> bool:
    """Whether a campaign is in the campaigns log, was sent, or is credited with an order."""
    marts = ("campaigns", "campaign_metrics", "attributed_orders")
    matches = " union all ".join(
        f"select 1 from {_PUBLISHED}.{SCHEMA}.{mart} where campaign_id = $campaign" for mart in marts
    )
    return bool(connection.execute(f"{matches} limit 1", {"campaign": campaign}).fetchone())


def _export_scheduled(exporter: "_Exporter", ledger: Ledger, report: str, *, all_campaigns: bool) -> Export | Unchanged:
    """Exports the changed campaigns of a report, and records the export in the ledger."""
    settings, paths, connection = exporter.settings, exporter.paths, exporter.connection
    if lost := missing(settings, paths, ledger, report):
        log.warning("%s/%s was deleted: the next export holds every campaign", report, lost[0])
        ledger.forget_exports(report)
    mode = settings.export_csv_mode + ("+masked" if exporter.build_is_masked else "")
    digests_sql = row_digests_sql(connection, _PUBLISHED, report)
    digests = None if digests_sql is None else read_digests(connection, digests_sql, mode)
    last_export = ledger.last_export(report)
    scope = next_scope(digests, ledger.exported_campaigns(report), last_export, all_campaigns=all_campaigns)
    if scope.is_empty and scope.since is not None:
        ledger.record_unchanged(report, exporter.build_id)
        return Unchanged(report, scope.since)
    written, exported_at = exporter.write(report, scope)
    ledger.record_export(report, written.file, exporter.build_id, exported_at, scope.digests)
    return written


class _Exporter:
    """Writes exports of the build that is attached as `published`."""

    def __init__(self, settings: Settings, paths: DataPaths, connection: duckdb.DuckDBPyConnection) -> None:
        self.settings, self.paths, self.connection = settings, paths, connection
        build_info = connection.execute(f"select build_id from {_PUBLISHED}.{SCHEMA}.build_info")
        self.build_id = str(build_info.fetchall()[0][0])
        self.build_is_masked = is_masked(connection, _PUBLISHED)

    def write(
        self,
        report: str,
        scope: Scope,
        file_format: FileFormat = FileFormat.CSV,
        campaign: str | None = None,
        *,
        masks_phone_numbers: bool = False,
    ) -> tuple[Export, datetime]:
        """Writes an export and its `.json`. Returns the description and the time of the export (UTC)."""
        folder = self.paths.exports / report
        earliest = now().replace(microsecond=0)
        # Exports are read in the order of their names: an export is never named before the last, even if the clock jumped.
        if scope.since and (last := export_time(report, scope.since)):
            earliest = max(earliest, last + timedelta(seconds=1))
        name, exported_at = next_export_name(report, campaign, earliest, set(names_in(folder)))
        path = folder / f"{name}.{file_format}"
        temp_path = self.paths.temp_path(folder / f"{report}.{file_format}")
        temp_path.parent.mkdir(parents=True, exist_ok=True)
        masks = masks_phone_numbers and not self.build_is_masked
        query = ReportQuery(self.connection, _PUBLISHED, report, scope.changed, self.build_is_masked, masks)
        if file_format is FileFormat.XLSX:
            rows = self._write_spreadsheet(query, temp_path)
        else:
            rows = query.copy_to_csv(temp_path, self.settings.export_csv_mode)
        phone_numbers = "masked" if masks_phone_numbers or self.build_is_masked else "whole"
        description = Export(
            report=report,
            file=path.name,
            build_id=self.build_id,
            exported_at=exported_at.isoformat().replace("+00:00", "Z"),
            rows=rows,
            sha256=hash_of(temp_path),
            campaigns="all" if scope.changed is None else scope.changed,
            changed_since=scope.since,
            phone_numbers=phone_numbers if has_phone_numbers(report) else None,
        )
        temp_json = self.paths.temp_path(folder / f"{report}.json")
        temp_json.write_text(json.dumps(asdict(description), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        # The description first: an export that exists has a description.
        atomic_replace(temp_json, path.with_suffix(".json"))
        atomic_replace(temp_path, path)
        return description, exported_at

    def _write_spreadsheet(self, query: ReportQuery, temp_path: Path) -> int:
        row_count = query.row_count()
        if row_count > xlsx.MOST_ROWS:
            raise ExportRefused(
                f"{query.report} has {row_count:,} rows, and a spreadsheet holds {xlsx.MOST_ROWS:,} beside its header:"
                " ask for one campaign, or for CSV"
            )
        cursor = query.execute()
        batches = iter(lambda: cursor.fetchmany(_ROWS_PER_BATCH), [])
        return xlsx.write((row for batch in batches for row in batch), query.columns(), temp_path, self.paths.transfers)


def missing(settings: Settings, paths: DataPaths, ledger: Ledger, report: str) -> list[str]:
    """The recorded exports of a report that were deleted before the end of the retention.

    The exports that are left do not add up to the report without them.
    """
    oldest_kept = now() - timedelta(days=settings.export_retention_days)
    existing = set(names_in(paths.exports / report))
    return [
        name
        for name in ledger.exported_files(report)
        if (exported_at := export_time(report, name)) and exported_at > oldest_kept and name not in existing
    ]


def prune(paths: DataPaths, retention_days: int, at: datetime | None = None) -> list[str]:
    """Deletes exports older than the retention, by the time in their name. Returns the names of the deleted files.

    Deletes nothing but regular files with the name of an export, in the folders of known reports.
    """
    oldest_kept = (at or now()) - timedelta(days=retention_days)
    deleted = []
    for report in ON_REQUEST:
        folder = paths.exports / report
        if not is_object(folder) and (folder.is_symlink() or not folder.is_dir()):
            continue
        for name in names_in(folder):
            exported_at = export_time(report, name)
            if exported_at and exported_at < oldest_kept and _is_regular_file(folder / name):
                remove(folder / name)
                deleted.append(f"{report}/{name}")
    return deleted


def _is_regular_file(path: AnyPath) -> bool:
    return is_object(path) or stat.S_ISREG(path.lstat().st_mode)
