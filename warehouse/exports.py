"""CSV exports of the published marts, kept for a while and then pruned.

`exports/<report>/<report>_<YYYYMMDDTHHMMSSZ>.csv`, with a `.json` of the same name that says what it holds. UTF-8, LF,
rows sorted by key, null empty, timestamps in ISO 8601 with `Z`. In spreadsheet mode no text cell can be taken for a
formula: that is decided by a column's type, never by how a value looks.

Not here: when exports are made (`orchestration/`), what the figures mean (`models.marts`).
"""

import hashlib
import json
import re
import stat
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from models.marts import MARTS, SCHEMA, MartColumn, columns
from warehouse.ledger import Ledger, now
from warehouse.paths import DataPaths, put_in_place
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


class NothingPublished(Exception):
    """There are no published marts to export from."""


@dataclass(frozen=True)
class Export:
    """An export, as its `.json` tells it."""

    report: str
    file: str
    build_id: str
    exported_at: str
    rows: int
    sha256: str


def export(settings: Settings, paths: DataPaths, ledger: Ledger, reports: Iterable[str] = REPORTS) -> list[Export]:
    """Writes reports of the published build as CSV.

    Raises:
        NothingPublished: there is no published build yet.
    """
    if not paths.published_marts.exists():
        raise NothingPublished(f"nothing has been published yet: {paths.published_marts} is not there")
    with duckdb.connect() as connection:
        connection.execute(f"set memory_limit = '{settings.memory_limit}'; set threads = {settings.threads}")
        connection.execute(f"set temp_directory = {literal(paths.scratch)}")
        # One handle for all reports: they are of one build, even if another is published meanwhile.
        connection.execute(f"attach {literal(paths.published_marts)} as published (read_only)")
        (build_id,) = connection.execute(f"select build_id from published.{SCHEMA}.build_info").fetchone()
        return [_export(connection, settings, paths, ledger, report, build_id) for report in reports]


def _export(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    paths: DataPaths,
    ledger: Ledger,
    report: str,
    build_id: str,
) -> Export:
    folder = paths.exports / report
    folder.mkdir(parents=True, exist_ok=True)
    exported_at = now().replace(microsecond=0)
    while (place := folder / f"{report}_{exported_at.strftime(_MOMENT)}.csv").exists():
        exported_at += timedelta(seconds=1)
    aside = folder / f".{report}.csv.tmp"
    (rows,) = connection.execute(_copy_statement(report, aside, settings.export_csv_mode)).fetchone()
    with aside.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    told = Export(report, place.name, build_id, exported_at.isoformat().replace("+00:00", "Z"), rows, sha256)
    described = folder / f".{report}.json.tmp"
    described.write_text(json.dumps(asdict(told), indent=2) + "\n", encoding="utf-8")
    # The description first: a CSV that is there is described.
    put_in_place(described, place.with_suffix(".json"))
    put_in_place(aside, place)
    ledger.note_export(report, place.name, build_id, exported_at)
    return told


def _copy_statement(report: str, file: Path, mode: str) -> str:
    """The statement that writes a report to a file."""
    by_name = {column.name: column for column in columns(report)}
    if report == "campaign_metrics":
        shown = [(by_name[name], by_name[name].label) for name in CAMPAIGN_REPORT_COLUMNS]
    else:
        shown = [(column, name) for name, column in by_name.items()]
    cells = ", ".join(f'{_cell(column, mode)} as "{header}"' for column, header in shown)
    texts = ", ".join(f'"{header}"' for column, header in shown if column.sql_type == "varchar")
    quoting = f", force_quote ({texts})" if mode == "spreadsheet" else ""
    # Qualified: by their bare names the cells as written would be sorted, not the values.
    order = ", ".join(f"mart.{name}" for name in MARTS[report].key)
    return (
        f"copy (select {cells} from published.{SCHEMA}.{report} as mart order by {order})"
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


def prune(paths: DataPaths, retention_days: int, at: datetime | None = None) -> list[str]:
    """Deletes exports older than the retention, by the moment in their name; gives the names of what it deleted.

    Deletes regular files with a name that an export gives, in the folders of known reports: nothing else, ever.
    """
    oldest_kept = (at or now()) - timedelta(days=retention_days)
    deleted = []
    for report in REPORTS:
        folder = paths.exports / report
        if folder.is_symlink() or not folder.is_dir():
            continue
        for file in sorted(folder.iterdir()):
            exported_at = _moment_of(report, file.name)
            if exported_at and exported_at < oldest_kept and stat.S_ISREG(file.lstat().st_mode):
                file.unlink()
                deleted.append(f"{report}/{file.name}")
    return deleted


def _moment_of(report: str, name: str) -> datetime | None:
    """The moment in the name of an export of a report; None for any other name."""
    match = re.fullmatch(rf"{re.escape(report)}_([0-9]{{8}}T[0-9]{{6}}Z)\.(?:csv|json)", name)
    if not match:
        return None
    try:
        return datetime.strptime(match[1], _MOMENT).replace(tzinfo=UTC)
    except ValueError:
        return None
