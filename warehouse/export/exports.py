"""Exports of the published marts: written, described, and pruned after the retention.

An export is `exports/<report>/<report>_<YYYYMMDDTHHMMSSZ>.csv`, or `<report>-<campaign hash>_<time>.csv` for one campaign, with
a `.json` of the same name that describes it. UTF-8, LF, null empty. Raw: rows sorted by key, timestamps in ISO 8601 with `Z`.

A report with one row per contact grows with the history, and a night changes few of its rows. So only the first scheduled
export of such a report holds every campaign; a later one holds all rows of the changed campaigns. The published build has a
digest of the rows of each campaign (`dbt_project/models/intermediate/row_digests`), the ledger those of the last export.

An export of one campaign, a spreadsheet (`.xlsx`), and any export of a report that is not scheduled is a copy on request.
It is in the same folder and is pruned with the others. The ledger does not record it, so it does not change what the next
scheduled export holds.

Not here: the rows and cells (`warehouse.export.report_sql`), how a spreadsheet is written (`warehouse.export.xlsx`), when
exports run (`orchestration/`), the meaning of the columns (`models.marts`).
"""

import hashlib
import json
import logging
import re
import stat
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import duckdb
from pydantic import TypeAdapter

from models.marts import DBT_MARTS, INSIGHTS, SCHEMA, columns, qualified
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import apply_limits, fetch_value, literal, new_session
from warehouse.export.layout import Layout
from warehouse.export.report_sql import NO_CAMPAIGN, ExportRefused, ReportQuery, RowSelection, has_phone_numbers
from warehouse.ledger import Ledger, now
from warehouse.publish.published_file import is_masked, row_digests_sql
from warehouse.storage import AnyPath, atomic_replace, hash_of, is_object, names_in, open_regular, read_object, remove

REPORTS = (
    *("campaign_metrics", "campaign_overview", "delivery_status", "skip_reasons"),
    *("attributed_unsubscribes", "suppressed_numbers"),
)
"""The scheduled reports: exported after each publication."""

ON_REQUEST = (*REPORTS, "attributed_orders", *(mart for mart in DBT_MARTS if mart in INSIGHTS))
"""The reports that can be requested."""

_PUBLISHED = "published"
_TIME = "%Y%m%dT%H%M%SZ"

log = logging.getLogger("sendmart")


class FileFormat(StrEnum):
    """The format of an export. The value is the extension of the file."""

    CSV = "csv"
    XLSX = "xlsx"


class NothingPublished(Exception):
    """There is no published build to export from."""


@dataclass(frozen=True)
class Export:
    """An export, as its `.json` describes it.

    `campaigns` is `all`, or lists the campaigns in the file: those with a row that was added, changed or removed
    since the export `changed_since`. The file holds all rows of such a campaign; "" stands for rows without a campaign.
    `filter` are the words of the filter of a table that was requested as it is on its page, with its rows and columns alone.
    `phone_numbers` is `whole` or `masked`, or None for a report without them. `columns` are the columns of the mart in the
    order of the file, whatever their headings; `time_zone` is that of its times. Release 0.3 did not write these three.
    """

    report: str
    file: str
    build_id: str
    exported_at: str
    rows: int
    sha256: str
    campaigns: str | list[str]
    changed_since: str | None
    phone_numbers: str | None = None
    columns: list[str] | None = None
    time_zone: str | None = None
    filter: str | None = None


_DESCRIPTION = TypeAdapter(Export)


def read_description(path: AnyPath) -> Export | None:
    """The `.json` beside an export. None if it is missing, damaged or of another shape."""
    file = path.with_suffix(".json")
    try:
        if is_object(file):
            return _DESCRIPTION.validate_json(read_object(file), strict=True)
        with open_regular(file) as description:
            return _DESCRIPTION.validate_json(description.read(), strict=True)
    except (OSError, ValueError):
        return None


def write_description(paths: DataPaths, path: AnyPath, description: Export) -> None:
    """Writes the `.json` beside an export."""
    with paths.atomic_write(path.with_suffix(".json")) as temp_path:
        temp_path.write_text(json.dumps(asdict(description), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Unchanged:
    """A report that was not exported, because no row has changed since its last export. `since` is the file of that export."""

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
    selection: RowSelection | None = None,
) -> list[Export | Unchanged]:
    """Exports reports of the published build.

    A contact-level report holds the campaigns that changed since its last export, or every campaign with `all_campaigns`.
    With a `campaign`, a `selection` of rows, or as a spreadsheet, the export is a copy on request; `masks_phone_numbers`
    masks the numbers in it.

    Raises:
        NothingPublished: there is no published build.
        ExportRefused: no mart has the campaign, a report has no campaigns or is not published, or a spreadsheet cannot hold
            the rows.
    """
    if not paths.published_marts.exists():
        raise NothingPublished(f"nothing has been published yet: {paths.published_marts} does not exist")
    with new_session() as connection:
        apply_limits(connection, settings)
        # One connection for all reports: all are of one build, even if another build is published meanwhile.
        connection.execute(f"attach {literal(paths.published_marts)} as {_PUBLISHED} (read_only)")
        if campaign is not None and not _has_campaign(connection, campaign):
            raise ExportRefused(f"the published build knows no campaign {campaign!r}")
        exporter = _Exporter(settings, paths, connection)
        is_copy = campaign is not None or selection is not None or file_format is not FileFormat.CSV
        campaigns = None if campaign is None else [campaign]
        reports = list(reports)
        for report in reports:
            if campaign is not None and not has_campaigns(report):
                raise ExportRefused(f"{report} has no rows of single campaigns: export it as a whole")
            if not _is_published(connection, report):
                raise ExportRefused(f"the published build has no {report}: SENDMART_INSIGHTS was false")
        return [
            exporter.write(
                report, campaigns, None, file_format, campaign, masks=masks_phone_numbers, selection=selection
            )
            if is_copy or report not in REPORTS
            else exporter.write_scheduled(report, ledger, all_campaigns=all_campaigns)
            for report in reports
        ]


def has_campaigns(report: str) -> bool:
    """Whether the rows of a report are of single campaigns, so that one campaign can be exported."""
    return any(column.name == "campaign_id" for column in columns(report))


def _is_published(connection: duckdb.DuckDBPyConnection, report: str) -> bool:
    schema, _, table = qualified(report).partition(".")
    query = "select 1 from duckdb_columns() where (database_name, schema_name, table_name) = (?, ?, ?) limit 1"
    return connection.execute(query, [_PUBLISHED, schema, table]).fetchone() is not None


def _has_campaign(connection: duckdb.DuckDBPyConnection, campaign: str) -> bool:
    """Whether a campaign is in the campaigns log, was sent, or is credited with an order."""
    if any("\ud800" <= character <= "\udfff" for character in campaign):
        return False  # no UTF-8 text, which DuckDB cannot take as a parameter
    marts = ("campaigns", "campaign_metrics", "attributed_orders")
    matches = " union all ".join(
        f"select 1 from {_PUBLISHED}.{SCHEMA}.{mart} where campaign_id = $campaign" for mart in marts
    )
    return bool(connection.execute(f"{matches} limit 1", {"campaign": campaign}).fetchone())


class _Exporter:
    """Writes exports of the build that is attached as `published`."""

    def __init__(self, settings: Settings, paths: DataPaths, connection: duckdb.DuckDBPyConnection) -> None:
        self.settings, self.paths, self.connection = settings, paths, connection
        self.build_id = str(fetch_value(connection, f"select build_id from {_PUBLISHED}.{SCHEMA}.build_info"))
        self.build_is_masked = is_masked(connection, _PUBLISHED)

    def write_scheduled(self, report: str, ledger: Ledger, *, all_campaigns: bool) -> Export | Unchanged:
        """Exports the changed campaigns of a report, and records the export in the ledger."""
        if lost := missing(self.settings, self.paths, ledger, report):
            log.warning(
                "%s/%s or its .json was deleted or damaged: the next export holds every campaign", report, lost[0]
            )
            ledger.forget_exports(report)
        digests, since = self._row_digests(report), ledger.last_export(report)
        changed = None
        if all_campaigns or digests is None or since is None:
            since = None
        else:
            exported = ledger.exported_campaigns(report)
            campaigns = digests.keys() | exported.keys()
            changed = sorted(name for name in campaigns if digests.get(name) != exported.get(name))
            if not changed:
                ledger.record_unchanged(report, self.build_id)
                return Unchanged(report, since)
        written = self.write(report, changed, since)
        exported_at = datetime.fromisoformat(written.exported_at)
        ledger.record_export(report, written.file, self.build_id, exported_at, digests or {})
        return written

    def _row_digests(self, report: str) -> dict[str, str] | None:
        """The digests of the build by campaign; None if the report has none. Rows that are written in another mode differ."""
        digests_sql = row_digests_sql(self.connection, _PUBLISHED, report)
        if digests_sql is None:
            return None
        is_raw = self.settings.export_csv_mode == "raw"
        mode = "raw" if is_raw else f"spreadsheet {self.settings.report_timezone}"
        mode += "+masked" if self.build_is_masked else ""
        digests = self.connection.execute(
            f"select coalesce(campaign_id, $no_campaign), concat_ws(':', $mode, row_count, digest) from ({digests_sql})",
            {"no_campaign": NO_CAMPAIGN, "mode": mode},
        )
        return dict(digests.fetchall())

    def write(
        self,
        report: str,
        campaigns: list[str] | None,
        since: str | None,
        file_format: FileFormat = FileFormat.CSV,
        campaign: str | None = None,
        *,
        masks: bool = False,
        selection: RowSelection | None = None,
    ) -> Export:
        """Writes an export and its `.json`.

        `campaigns` are the campaigns to export, None for all. `since` is the file of the last export, if only the campaigns that
        changed since then are exported. `campaign` or `selection` are what an export on request holds; the file name contains
        a hash of it.
        """
        folder = self.paths.exports / report
        requested = selection.link if selection else campaign
        name, exported_at = _next_name(report, requested, {*names_in(folder), *([since] if since else ())})
        path = folder / f"{name}.{file_format}"
        temp_path = self.paths.temp_path(folder / f"{report}.{file_format}")
        temp_path.parent.mkdir(parents=True, exist_ok=True)
        layout = Layout(
            is_raw=file_format is FileFormat.CSV and self.settings.export_csv_mode == "raw",
            zone=self.settings.time_zone,
            masks_phone_numbers=masks and not self.build_is_masked,
        )
        query = ReportQuery(self.connection, _PUBLISHED, report, campaigns, self.build_is_masked, layout, selection)
        if file_format is FileFormat.CSV:
            rows, sha256 = query.copy_to_csv(temp_path)
        else:
            # Imported here because it is slow to import, and most processes write no spreadsheet.
            from warehouse.export import xlsx

            rows = xlsx.write(query, temp_path, self.paths.transfers)
            sha256 = hash_of(temp_path)
        phone_numbers = "masked" if masks or self.build_is_masked else "whole"
        description = Export(
            report=report,
            file=path.name,
            build_id=self.build_id,
            exported_at=exported_at.isoformat().replace("+00:00", "Z"),
            rows=rows,
            sha256=sha256,
            campaigns=query.campaign_ids() if selection else "all" if campaigns is None else campaigns,
            changed_since=since,
            phone_numbers=phone_numbers if has_phone_numbers(report) else None,
            columns=[column.name for column, _ in query.columns()],
            time_zone=layout.time_zone,
            filter=selection.words if selection else None,
        )
        # The description first: an export that exists has a description.
        write_description(self.paths, path, description)
        atomic_replace(temp_path, path)
        return description


def missing(settings: Settings, paths: DataPaths, ledger: Ledger, report: str) -> list[str]:
    """The recorded exports of a report that were deleted, or lost their `.json`, before the end of the retention.

    The exports that are left do not add up to the report without them. In an object store, a `.json` is not read.
    """
    oldest_kept = now() - timedelta(days=settings.export_retention_days)
    folder = paths.exports / report
    existing = set(names_in(folder))

    def is_complete(name: str) -> bool:
        path = folder / name
        has_description = path.with_suffix(".json").name in existing if is_object(path) else read_description(path)
        return name in existing and bool(has_description)

    return [
        name
        for name in ledger.exported_files(report)
        if (exported_at := export_time(report, name)) and exported_at > oldest_kept and not is_complete(name)
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
            path, exported_at = folder / name, export_time(report, name)
            if exported_at and exported_at < oldest_kept and (is_object(path) or stat.S_ISREG(path.lstat().st_mode)):
                remove(path)
                deleted.append(f"{report}/{name}")
    return deleted


def campaign_hash(campaign_id: str) -> str:
    """Twelve hexadecimal digits for a campaign in a file name: an id may contain characters that a name cannot."""
    return hashlib.sha256(campaign_id.encode()).hexdigest()[:12]


def _next_name(report: str, campaign_id: str | None, existing: Collection[str]) -> tuple[str, datetime]:
    """The name of the next export without its extension, and its time: now, or the second after the latest of the `existing`
    names. Exports are read in the order of their names: an export is never named before another, even if the clock jumped.
    """
    stem = report if campaign_id is None else f"{report}-{campaign_hash(campaign_id)}"
    times = [exported_at for name in existing if (exported_at := export_time(report, name))]
    next_at = max([now(), *(exported_at + timedelta(seconds=1) for exported_at in times)]).replace(microsecond=0)
    return f"{stem}_{next_at.strftime(_TIME)}", next_at


def export_time(report: str, name: str) -> datetime | None:
    """The time in the name of an export of a report, or of its `.json`. None for any other name."""
    match = re.fullmatch(
        rf"{re.escape(report)}(?:-[0-9a-f]{{12}})?_([0-9]{{8}}T[0-9]{{6}}Z)\.(?:json|{'|'.join(FileFormat)})", name
    )
    if not match:
        return None
    try:
        return datetime.strptime(match[1], _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
