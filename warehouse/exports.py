"""CSV exports of the published marts, kept for a while and then pruned.

`exports/<report>/<report>_<YYYYMMDDTHHMMSSZ>.csv`, with a `.json` of the same name that says what it holds. UTF-8, LF,
rows sorted by key, null empty, timestamps in ISO 8601 with `Z`. In spreadsheet mode no text cell can be taken for a
formula: that is decided by a column's type, never by how a value looks.

Not here: which campaigns an export holds (`warehouse.export_scope`), when exports are made (`orchestration/`), what the
figures mean (`models.marts`).
"""

import hashlib
import json
import logging
import re
import stat
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from models.marts import SCHEMA, MartColumn, published_columns, published_key
from warehouse.export_scope import NO_CAMPAIGN, Scope, scope_of
from warehouse.ledger import Ledger, now
from warehouse.limits import keep_within_limits
from warehouse.object_store import Place, is_object
from warehouse.paths import DataPaths, names_in, put_in_place, remove
from warehouse.publication import is_masked
from warehouse.settings import Settings
from warehouse.sql import literal

REPORTS = ("campaign_metrics", "campaign_overview", "delivery_status", "skip_reasons", "attributed_unsubscribes")

CAMPAIGN_REPORT_COLUMNS = (
    "last_sent_at", "campaign_name", "click_to_delivered_rate", "conversion_rate", "direct_orders", "assisted_orders",
    "last_modified_by", "revenue", "assisted_revenue", "total_segments", "total_clicks", "total_delivered",
    "total_sent", "campaign_type", "unique_clickers", "unsubscribes", "campaign_id",
)  # fmt: skip
"""The campaign table in the order of the report, under the report's labels."""

FORMULA_START = r"^[=+\-@\t\r\n]"
_MOMENT = "%Y%m%dT%H%M%SZ"
_PUBLISHED = "published"

log = logging.getLogger("sendmart")


class NothingPublished(Exception):
    """There are no published marts to export from."""


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
) -> list[Export | Unchanged]:
    """Writes reports of the published build as CSV; contact-level ones with the campaigns that changed since the last,
    or with `all_campaigns`.

    Raises:
        NothingPublished: there is no published build yet.
    """
    if not paths.published_marts.exists():
        raise NothingPublished(f"nothing has been published yet: {paths.published_marts} is not there")
    with duckdb.connect() as connection:
        keep_within_limits(connection, settings)
        # One handle for all reports: they are of one build, even if another is published meanwhile.
        connection.execute(f"attach {literal(paths.published_marts)} as {_PUBLISHED} (read_only)")
        (build_id,) = connection.execute(f"select build_id from {_PUBLISHED}.{SCHEMA}.build_info").fetchone()
        told: list[Export | Unchanged] = []
        for report in reports:
            if gone := missing(settings, paths, ledger, report):
                log.warning("%s/%s is gone: the next export holds every campaign", report, gone[0])
                ledger.forget_exports(report)
            mode = settings.export_csv_mode
            mode = settings.export_csv_mode + ("+masked" if is_masked(connection, _PUBLISHED) else "")
            scope = scope_of(connection, _PUBLISHED, ledger, report, mode, all_campaigns=all_campaigns)
            if scope.is_nothing:
                ledger.note_unchanged(report, build_id)
                told.append(Unchanged(report, scope.since))
            else:
                told.append(_export(connection, settings, paths, ledger, report, build_id, scope))
        return told


def _export(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    paths: DataPaths,
    ledger: Ledger,
    report: str,
    build_id: str,
    scope: Scope,
) -> Export:
    folder = paths.exports / report
    there = set(names_in(folder))
    exported_at = now().replace(microsecond=0)
    # Exports are read in the order of their names: one is never named before the last, wherever the clock has jumped.
    if scope.since and (last := _moment_of(report, scope.since)) and exported_at <= last:
        exported_at = last + timedelta(seconds=1)
    while (name := f"{report}_{exported_at.strftime(_MOMENT)}.csv") in there:
        exported_at += timedelta(seconds=1)
    place = folder / name
    aside = paths.aside(folder / f"{report}.csv")
    aside.parent.mkdir(parents=True, exist_ok=True)
    if scope.changed is not None:
        _show_campaigns(connection, scope.changed)
    statement = _copy_statement(
        report,
        aside,
        settings.export_csv_mode,
        only_shown=scope.changed is not None,
        masked=is_masked(connection, _PUBLISHED),
    )
    (rows,) = connection.execute(statement).fetchone()
    with aside.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    told = Export(
        report=report,
        file=place.name,
        build_id=build_id,
        exported_at=exported_at.isoformat().replace("+00:00", "Z"),
        rows=rows,
        sha256=sha256,
        campaigns="all" if scope.changed is None else scope.changed,
        changed_since=scope.since,
    )
    described = paths.aside(folder / f"{report}.json")
    described.write_text(json.dumps(asdict(told), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    # The description first: a CSV that is there is described.
    put_in_place(described, place.with_suffix(".json"))
    put_in_place(aside, place)
    ledger.note_export(report, place.name, build_id, exported_at, scope.digests)
    return told


def _show_campaigns(connection: duckdb.DuckDBPyConnection, campaigns: list[str]) -> None:
    """Makes these campaigns readable to the next statement, as `campaigns_to_export`."""
    connection.execute(
        "create or replace temporary table campaigns_to_export as"
        " select nullif(unnest($campaigns::varchar[]), $none) as campaign_id",
        {"campaigns": campaigns, "none": NO_CAMPAIGN},
    )


def _copy_statement(report: str, file: Path, mode: str, *, only_shown: bool, masked: bool) -> str:
    """The statement that writes a report to a file: all of it, or the campaigns in `campaigns_to_export`."""
    by_name = {column.name: column for column in published_columns(report, is_masked=masked)}
    if report == "campaign_metrics":
        shown = [(by_name[name], by_name[name].label) for name in CAMPAIGN_REPORT_COLUMNS]
    else:
        shown = [(column, name) for name, column in by_name.items()]
    cells = ", ".join(f'{_cell(column, mode)} as "{header}"' for column, header in shown)
    texts = ", ".join(f'"{header}"' for column, header in shown if column.sql_type == "varchar")
    quoting = f", force_quote ({texts})" if mode == "spreadsheet" else ""
    mart = f"{_PUBLISHED}.{SCHEMA}.{report}"
    # By their numbers: else every column of every row would be read, and then most of them thrown away.
    among = (
        f" where rowid in (select of_mart.rowid from {mart} as of_mart semi join campaigns_to_export as wanted"
        " on of_mart.campaign_id is not distinct from wanted.campaign_id)"
    )
    # Qualified: by their bare names the cells as written would be sorted, not the values.
    order = ", ".join(f"mart.{name}" for name in published_key(report, is_masked=masked))
    return (
        f"copy (select {cells} from {mart} as mart{among if only_shown else ''} order by {order})"
        f" to {literal(file)} (format csv, header, delimiter ',', quote '\"', escape '\"', nullstr ''{quoting})"
    )


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
        if (moment := _moment_of(report, file)) and moment > oldest_kept and file not in there
    ]


def prune(paths: DataPaths, retention_days: int, at: datetime | None = None) -> list[str]:
    """Deletes exports older than the retention, by the moment in their name; gives the names of what it deleted.

    Deletes regular files with a name that an export gives, in the folders of known reports: nothing else, ever.
    """
    oldest_kept = (at or now()) - timedelta(days=retention_days)
    deleted = []
    for report in REPORTS:
        folder = paths.exports / report
        if not is_object(folder) and (folder.is_symlink() or not folder.is_dir()):
            continue
        for name in names_in(folder):
            exported_at = _moment_of(report, name)
            if exported_at and exported_at < oldest_kept and _is_a_file(folder / name):
                remove(folder / name)
                deleted.append(f"{report}/{name}")
    return deleted


def _is_a_file(place: Place) -> bool:
    return is_object(place) or stat.S_ISREG(place.lstat().st_mode)


def _moment_of(report: str, name: str) -> datetime | None:
    """The moment in the name of an export of a report; None for any other name."""
    match = re.fullmatch(rf"{re.escape(report)}_([0-9]{{8}}T[0-9]{{6}}Z)\.(?:csv|json)", name)
    if not match:
        return None
    try:
        return datetime.strptime(match[1], _MOMENT).replace(tzinfo=UTC)
    except ValueError:
        return None
