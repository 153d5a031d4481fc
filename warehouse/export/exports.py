"""Exports of the published marts, kept for a while and then pruned.

`exports/<report>/<report>_<YYYYMMDDTHHMMSSZ>.csv`, with a `.json` of the same name that says what it holds. UTF-8, LF,
rows sorted by key, null empty, timestamps in ISO 8601 with `Z`. In spreadsheet mode no text cell can be taken for a
formula: that is decided by a column's type, never by how a value looks.

An export of one campaign, `<report>-<first 12 digits of its id's SHA-256>_<moment>.csv`, a spreadsheet (`.xlsx`), and any
export of a report that is not scheduled is a copy that somebody asked for. It lies with the others and is pruned like them,
and the ledger knows nothing of it: what the next scheduled export holds is not for it to change.

Not here: which campaigns a scheduled export holds (`warehouse.export.changed_campaigns`), how a spreadsheet is written
(`warehouse.export.xlsx`), when exports are made (`orchestration/`), what the figures mean (`models.marts`).
"""

import hashlib
import json
import logging
import re
import stat
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import duckdb

from models.marts import SCHEMA, MartColumn, published_columns, published_key
from warehouse.config import DataPaths, Settings
from warehouse.duckdb_tools import apply_limits, holds_rows, literal
from warehouse.export import xlsx
from warehouse.export.changed_campaigns import NO_CAMPAIGN, Scope, scope_of
from warehouse.ledger import Ledger, now
from warehouse.publish.masking import is_masked
from warehouse.storage import AnyPath, atomic_replace, is_object, names_in, remove

REPORTS = ("campaign_metrics", "campaign_overview", "delivery_status", "skip_reasons", "attributed_unsubscribes")
"""Those that are exported after each publication."""

ON_REQUEST = (*REPORTS, "attributed_orders")
"""Those that can be asked for: each has a campaign's rows under its `campaign_id`."""

CAMPAIGN_REPORT_COLUMNS = (
    "last_sent_at", "campaign_name", "click_to_delivered_rate", "conversion_rate", "direct_orders", "assisted_orders",
    "last_modified_by", "revenue", "assisted_revenue", "total_segments", "total_clicks", "total_delivered",
    "total_sent", "campaign_type", "unique_clickers", "unsubscribes", "campaign_id",
)  # fmt: skip
"""The campaign table in the order of the report, under the report's labels."""

FORMULA_START = r"^[=+\-@\t\r\n]"
_MOMENT = "%Y%m%dT%H%M%SZ"
_PUBLISHED = "published"
_ROWS_AT_A_TIME = 10_000

log = logging.getLogger("sendmart")


class FileFormat(StrEnum):
    """What an export is written as; the value ends its name."""

    CSV = "csv"
    XLSX = "xlsx"


class NothingPublished(Exception):
    """There are no published marts to export from."""


class ExportRefused(Exception):
    """What was asked for cannot be exported; the message says why."""


@dataclass(frozen=True)
class Export:
    """An export, as its `.json` tells it.

    `campaigns` is `all`, or names those that it holds: every one of which a row came, changed or went since the export
    `changed_since`. Of such a campaign it holds all rows; "" stands for the rows of no campaign.
    """

    report: str
    file: str
    build_id: str
    exported_at: str
    rows: int
    sha256: str
    campaigns: str | list[str]
    changed_since: str | None


@dataclass(frozen=True)
class Unchanged:
    """A report of which nothing was written: no row is another than in the exports up to the file `since`."""

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
) -> list[Export | Unchanged]:
    """Writes reports of the published build; contact-level ones with the campaigns that changed since the last, or with
    `all_campaigns`. With one `campaign`, or as a spreadsheet, they are copies apart from those.

    Raises:
        NothingPublished: there is no published build yet.
        ExportRefused: no mart knows the campaign, or the rows are too many for a sheet.
    """
    if not paths.published_marts.exists():
        raise NothingPublished(f"nothing has been published yet: {paths.published_marts} is not there")
    with duckdb.connect() as connection:
        apply_limits(connection, settings)
        # One handle for all reports: they are of one build, even if another is published meanwhile.
        connection.execute(f"attach {literal(paths.published_marts)} as {_PUBLISHED} (read_only)")
        (build_id,) = connection.execute(f"select build_id from {_PUBLISHED}.{SCHEMA}.build_info").fetchone()
        if campaign is not None and not _knows(connection, campaign):
            raise ExportRefused(f"the published build knows no campaign {campaign!r}")
        told: list[Export | Unchanged] = []
        for report in reports:
            if campaign is not None or file_format is not FileFormat.CSV or report not in REPORTS:
                scope = Scope(None if campaign is None else [campaign], None, {})
                copy, _ = _export(connection, settings, paths, report, build_id, scope, file_format, campaign)
                told.append(copy)
                continue
            if gone := missing(settings, paths, ledger, report):
                log.warning("%s/%s is gone: the next export holds every campaign", report, gone[0])
                ledger.forget_exports(report)
            mode = settings.export_csv_mode + ("+masked" if is_masked(connection, _PUBLISHED) else "")
            scope = scope_of(connection, _PUBLISHED, ledger, report, mode, all_campaigns=all_campaigns)
            if scope.is_empty:
                ledger.record_unchanged(report, build_id)
                told.append(Unchanged(report, scope.since))
            else:
                written, exported_at = _export(connection, settings, paths, report, build_id, scope)
                ledger.record_export(report, written.file, build_id, exported_at, scope.digests)
                told.append(written)
        return told


def _knows(connection: duckdb.DuckDBPyConnection, campaign: str) -> bool:
    """Whether a campaign was made, sent, or credited with an order."""
    marts = ("campaigns", "campaign_metrics", "attributed_orders")
    found = " union all ".join(
        f"select 1 from {_PUBLISHED}.{SCHEMA}.{mart} where campaign_id = $campaign" for mart in marts
    )
    return connection.execute(f"select exists ({found})", {"campaign": campaign}).fetchone()[0]


def _export(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    paths: DataPaths,
    report: str,
    build_id: str,
    scope: Scope,
    file_format: FileFormat = FileFormat.CSV,
    campaign: str | None = None,
) -> tuple[Export, datetime]:
    folder = paths.exports / report
    there = set(names_in(folder))
    exported_at = now().replace(microsecond=0)
    # Exports are read in the order of their names: one is never named before the last, wherever the clock has jumped.
    if scope.since and (last := moment_of(report, scope.since)) and exported_at <= last:
        exported_at = last + timedelta(seconds=1)
    stem = report if campaign is None else f"{report}-{campaign_hash(campaign)}"
    # One `.json` describes one file, whatever its format.
    while {f"{(name := f'{stem}_{exported_at.strftime(_MOMENT)}')}.{of}" for of in ("json", *FileFormat)} & there:
        exported_at += timedelta(seconds=1)
    path = folder / f"{name}.{file_format}"
    temp_path = paths.temp_path(folder / f"{report}.{file_format}")
    temp_path.parent.mkdir(parents=True, exist_ok=True)
    if scope.changed is not None:
        _show_campaigns(connection, scope.changed)
    masked, only_shown = is_masked(connection, _PUBLISHED), scope.changed is not None
    if file_format is FileFormat.XLSX:
        rows = _write_spreadsheet(connection, paths, report, temp_path, only_shown=only_shown, masked=masked)
    else:
        statement = _copy_statement(
            connection, report, temp_path, settings.export_csv_mode, only_shown=only_shown, masked=masked
        )
        (rows,) = connection.execute(statement).fetchone()
    with temp_path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    told = Export(
        report=report,
        file=path.name,
        build_id=build_id,
        exported_at=exported_at.isoformat().replace("+00:00", "Z"),
        rows=rows,
        sha256=sha256,
        campaigns="all" if scope.changed is None else scope.changed,
        changed_since=scope.since,
    )
    described = paths.temp_path(folder / f"{report}.json")
    described.write_text(json.dumps(asdict(told), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    # The description first: an export that is there is described.
    atomic_replace(described, path.with_suffix(".json"))
    atomic_replace(temp_path, path)
    return told, exported_at


def campaign_hash(campaign: str) -> str:
    """What stands for a campaign in the name of a file: its id may hold whatever a name must not."""
    return hashlib.sha256(campaign.encode()).hexdigest()[:12]


def _show_campaigns(connection: duckdb.DuckDBPyConnection, campaigns: list[str]) -> None:
    """Makes these campaigns readable to the next statement, as `campaigns_to_export`."""
    connection.execute(
        "create or replace temporary table campaigns_to_export as"
        " select nullif(unnest($campaigns::varchar[]), $none) as campaign_id",
        {"campaigns": campaigns, "none": NO_CAMPAIGN},
    )


def _shown(report: str, *, masked: bool) -> list[tuple[MartColumn, str]]:
    """The columns of an export, each with its header."""
    by_name = {column.name: column for column in published_columns(report, is_masked=masked)}
    if report == "campaign_metrics":
        return [(by_name[name], by_name[name].label) for name in CAMPAIGN_REPORT_COLUMNS]
    return [(column, name) for name, column in by_name.items()]


def _rows_of(connection: duckdb.DuckDBPyConnection, report: str, *, only_shown: bool) -> str:
    """The rows of a report, as `mart`: all of them, or those of the campaigns in `campaigns_to_export`."""
    mart = f"{_PUBLISHED}.{SCHEMA}.{report}"
    if not only_shown:
        return f"from {mart} as mart"
    wanted = "semi join campaigns_to_export as wanted on mart.campaign_id is not distinct from wanted.campaign_id"
    if not holds_rows(connection, _PUBLISHED, SCHEMA, report):
        return f"from {mart} as mart {wanted}"
    # By their numbers: else every column of every row would be read, and then most of them thrown away.
    return f"from {mart} as mart where rowid in (select mart.rowid from {mart} as mart {wanted})"


def _order(report: str, *, masked: bool) -> str:
    # Qualified: by their bare names the cells as written would be sorted, not the values.
    return ", ".join(f"mart.{name}" for name in published_key(report, is_masked=masked))


def _copy_statement(
    connection: duckdb.DuckDBPyConnection, report: str, file: Path, mode: str, *, only_shown: bool, masked: bool
) -> str:
    """The statement that writes a report to a CSV file."""
    shown = _shown(report, masked=masked)
    cells = ", ".join(f'{_cell(column, mode)} as "{header}"' for column, header in shown)
    texts = ", ".join(f'"{header}"' for column, header in shown if column.sql_type == "varchar")
    quoting = f", force_quote ({texts})" if mode == "spreadsheet" else ""
    rows = f"{_rows_of(connection, report, only_shown=only_shown)} order by {_order(report, masked=masked)}"
    return (
        f"copy (select {cells} {rows})"
        f" to {literal(file)} (format csv, header, delimiter ',', quote '\"', escape '\"', nullstr ''{quoting})"
    )


def _write_spreadsheet(
    connection: duckdb.DuckDBPyConnection, paths: DataPaths, report: str, file: Path, *, only_shown: bool, masked: bool
) -> int:
    rows = _rows_of(connection, report, only_shown=only_shown)
    (number,) = connection.execute(f"select count(*) {rows}").fetchone()
    if number > xlsx.MOST_ROWS:
        raise ExportRefused(
            f"{report} has {number:,} rows, and a spreadsheet holds {xlsx.MOST_ROWS:,} beside its header:"
            " ask for one campaign, or for CSV"
        )
    shown = _shown(report, masked=masked)
    cells = ", ".join(f"mart.{column.name}" for column, _ in shown)
    found = connection.execute(f"select {cells} {rows} order by {_order(report, masked=masked)}")
    batches = iter(lambda: found.fetchmany(_ROWS_AT_A_TIME), [])
    return xlsx.write((row for batch in batches for row in batch), shown, file, paths.transfers)


def _cell(column: MartColumn, mode: str) -> str:
    value = f"mart.{column.name}"
    if column.sql_type == "timestamp":
        whole = f"strftime({value}, '%Y-%m-%dT%H:%M:%SZ')"
        return f"if(microsecond({value}) % 1000000 = 0, {whole}, strftime({value}, '%Y-%m-%dT%H:%M:%S.%fZ'))"
    if column.sql_type == "varchar" and mode == "spreadsheet":
        return f"if(regexp_matches({value}, '{FORMULA_START}'), '''' || {value}, {value})"
    return value


def missing(settings: Settings, paths: DataPaths, ledger: Ledger, report: str) -> list[str]:
    """The exports of a report that were deleted before their time: what all exports come to lacks what they held."""
    oldest_kept = now() - timedelta(days=settings.export_retention_days)
    there = set(names_in(paths.exports / report))
    return [
        file
        for file in ledger.exported_files(report)
        if (moment := moment_of(report, file)) and moment > oldest_kept and file not in there
    ]


def prune(paths: DataPaths, retention_days: int, at: datetime | None = None) -> list[str]:
    """Deletes exports older than the retention, by the moment in their name; gives the names of what it deleted.

    Deletes regular files with a name that an export gives, in the folders of known reports: nothing else, ever.
    """
    oldest_kept = (at or now()) - timedelta(days=retention_days)
    deleted = []
    for report in ON_REQUEST:
        folder = paths.exports / report
        if not is_object(folder) and (folder.is_symlink() or not folder.is_dir()):
            continue
        for name in names_in(folder):
            exported_at = moment_of(report, name)
            if exported_at and exported_at < oldest_kept and _is_a_file(folder / name):
                remove(folder / name)
                deleted.append(f"{report}/{name}")
    return deleted


def _is_a_file(path: AnyPath) -> bool:
    return is_object(path) or stat.S_ISREG(path.lstat().st_mode)


def moment_of(report: str, name: str) -> datetime | None:
    """The moment in the name of an export of a report, or of its description; None for any other name."""
    match = re.fullmatch(
        rf"{re.escape(report)}(?:-[0-9a-f]{{12}})?_([0-9]{{8}}T[0-9]{{6}}Z)\.(?:json|{'|'.join(FileFormat)})", name
    )
    if not match:
        return None
    try:
        return datetime.strptime(match[1], _MOMENT).replace(tzinfo=UTC)
    except ValueError:
        return None
