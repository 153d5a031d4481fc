"""What the command line tells: the landing zone, the end of a refresh, the status. Words and tables, nothing else.

Not here: what happened, which is in the ledger and the published files.
"""

import shutil
import sqlite3
import sys
from typing import Any

import duckdb
from rich.console import Console
from rich.table import Table

from models.enums import Log
from models.masking import sanitize
from orchestration.cli.output import quarantine
from orchestration.stages import AppContext, RefreshPlan, audit_page_of, missing_days
from warehouse.config.settings import PROJECT
from warehouse.duckdb_tools.health import corruption_reason
from warehouse.duckdb_tools.sql import literal
from warehouse.landing import completeness
from warehouse.ledger import LoadedFile, Refresh
from warehouse.storage import AnyPath, is_object

WIDTH_OF_A_LOG = 120


class SanitizingConsole(Console):
    """Prints what came from files and values without the numbers and the control characters in it."""

    def print(self, *objects: Any, **style: Any) -> None:
        super().print(*(sanitize(one) if isinstance(one, str) else one for one in objects), **style)


console = SanitizingConsole(
    highlight=False, soft_wrap=True, markup=False, width=None if sys.stdout.isatty() else WIDTH_OF_A_LOG
)

HOLDS_SHOWN = 20


def landing(context: AppContext, work: RefreshPlan) -> None:
    """What lies in the landing zone, and what of it is new."""
    zone = context.scan_landing()
    console.print(f"Landing zone {_short(context.settings.landing)}: {len(zone.files)} log files")
    if not zone.files:
        console.print("  It holds no log files. Try: sendmart sample, or set SENDMART_LANDING to where yours are.")
    for name in zone.ignored[:HOLDS_SHOWN]:
        console.print(f"  ignored, no log file by its name, or nothing that can be read as one: {name}")
    if len(zone.ignored) > HOLDS_SHOWN:
        console.print(f"  … and {len(zone.ignored) - HOLDS_SHOWN} more ignored")
    counts = {log: len(files) for log, files in work.files.items() if files}
    if counts:
        console.print("  new or changed: " + ", ".join(f"{log} {count}" for log, count in counts.items()))


def plan(work: RefreshPlan) -> None:
    """What a refresh would do."""
    for log, files in work.files.items():
        for file in files:
            console.print(f"would load {log}/{file.source_file}")
    for needed, words in (
        (work.must_build, "would build, audit and, if it holds, publish"),
        (work.must_publish and not work.must_build, "would put the candidate before the gate again"),
        (work.must_export, "would export"),
        (work.is_empty, "Nothing to do."),
    ):
        if needed:
            console.print(words)


def end_of_refresh(context: AppContext, refresh: Refresh) -> None:
    """How a refresh ended, where things are, a look at the figures, and what to do next."""
    if refresh.outcome in ("published", "nothing new"):
        files = context.ledger.files()
        quarantined = sum(file.rejected for file in files)
        refused = [f"{file.log}/{file.source_file}" for file in files if file.refusal]
        _figures(context)
        if refresh.outcome == "nothing new":
            console.print("Nothing new: nothing was loaded, built or published.")
        if quarantined:
            console.print(f"In quarantine: {quarantined} rows, in {_short(context.paths.published_quarantine)}")
        if refused:
            console.print(f"Refused, and accepted as such: {', '.join(refused[:5])}{', …' if len(refused) > 5 else ''}")
        _data_files(context)
        if not is_object(context.settings.landing) and not context.settings.landing.is_dir():
            console.print(
                f"NOTE: the landing zone {_short(context.settings.landing)} is not there: no logs could come."
            )
        return
    console.print()
    try:
        last = context.ledger.last_publication()
    except (OSError, sqlite3.Error):
        last, is_known = None, False
    else:
        is_known = True
    if not is_known:
        so_far = "What was published before is untouched."
    elif last is None:
        so_far = "Nothing has been published yet."
    elif last[1] >= refresh.started_at:
        so_far = "The new build was published; what comes after it was not done."
    elif fault := corruption_reason(context.paths.published_marts):
        # The way out where the candidate may not be published in its place.
        so_far = f"What is published cannot be read: {fault}. sendmart rollback BUILD goes back to one that is kept."
    else:
        so_far = "What was published before is untouched."
    if refresh.outcome == "held back":
        console.print(f"HELD BACK: this build was not published. {so_far}")
    else:
        console.print(f"FAILED: the refresh did not finish. {so_far}")
    lines = refresh.message.splitlines()
    for line in lines[:HOLDS_SHOWN]:
        console.print(f"  {line}")
    if len(lines) > HOLDS_SHOWN:
        console.print(f"  … and {len(lines) - HOLDS_SHOWN} more; sendmart status lists them")
    if refresh.outcome == "held back":
        console.print(
            f"Next: mend and drop again, or accept, what is named above, then: sendmart refresh. Rows in quarantine are in"
            f" {_short(context.paths.published_quarantine)}, the candidate in {_short(context.paths.candidate)}"
        )
        _audit_page(context)
    else:
        console.print("Next: mend what is named above, then: sendmart refresh. It takes up where this one ended.")


def _figures(context: AppContext) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"attach {literal(context.paths.published_marts)} as p (read_only)")
        rows = connection.execute(
            "select campaign_name, campaign_type, strftime(last_sent_at, '%Y-%m-%d %H:%M'), total_sent, total_delivered,"
            " unique_clickers, direct_orders, revenue from p.marts.campaign_metrics"
            " order by last_sent_at desc nulls last, campaign_id limit 5"
        ).fetchall()
    table = Table(title="campaign_metrics, the latest five", title_justify="left")
    for header in ("Campaign name", "Type", "Last sent"):
        table.add_column(header)
    for header in ("Sent", "Delivered", "Clickers", "Orders", "Revenue"):
        table.add_column(header, justify="right")
    for row in rows:
        table.add_row(*("" if value is None else " ".join(sanitize(str(value)).split()) for value in row))
    console.print()
    console.print(table)


def _data_files(context: AppContext) -> None:
    last = context.ledger.last_publication()
    candidate = context.ledger.candidate()
    if last and candidate:
        console.print(f"Build {last[0]}, published {last[1]:%Y-%m-%d %H:%M} UTC, data until {candidate.data_until}")
    marts = _short(context.paths.published_marts)
    console.print(f"Published marts: {marts}")
    if (store := context.paths.published_store) is not None:
        console.print(f"  for readers:   {store / context.paths.current.name} names the file")
    console.print(f"CSV exports:     {_short(context.paths.exports)}/<report>/")
    _audit_page(context)
    console.print("Next: .venv/bin/sendmart status, make dev, or query the marts: .venv/bin/python -c \\")
    console.print(
        f"  \"import duckdb; print(duckdb.connect('{marts}', read_only=True).sql('from marts.campaign_overview'))\""
    )


def _audit_page(context: AppContext) -> None:
    page = audit_page_of(context)
    if page:
        console.print(f"What was checked: {_short(page)}")


def sample(summary) -> None:
    """What sample logs were written."""
    rows = ", ".join(f"{log} {count:,}" for log, count in summary.rows.items())
    console.print(
        f"Sample logs of {summary.first_log_date} to {summary.last_log_date} in {_short(summary.to)}:"
        f" {summary.files} files, {summary.bytes / 1e6:.1f} MB ({rows})"
    )


def status(context: AppContext) -> None:
    """The state of the warehouse, for whoever is on duty."""
    last = context.ledger.last_refresh()
    if last is None:
        console.print("Last refresh: none yet. Next: sendmart refresh")
    else:
        seconds = (last.finished_at - last.started_at).total_seconds()
        console.print(f"Last refresh: {last.started_at:%Y-%m-%d %H:%M:%S} UTC, {seconds:.0f} s: {last.outcome}")
        for line in last.message.splitlines():
            console.print(f"  {line}")
    if context.settings.data.exists():
        console.print(f"Free disk space: {shutil.disk_usage(context.settings.data).free / 1e9:,.2f} GB")
    published = context.ledger.last_publication()
    if published and (fault := corruption_reason(context.paths.published_marts)):
        console.print(
            f"Published build: {fault}. Next: sendmart refresh, which publishes anew, or sendmart rollback BUILD"
        )
    elif published and context.paths.published_marts.exists():
        with duckdb.connect() as connection:
            connection.execute(f"attach {literal(context.paths.published_marts)} as p (read_only)")
            build_id, at, until, version = connection.execute(
                "select build_id, published_at, data_until, version from p.marts.build_info"
            ).fetchone()
        console.print(f"Published build: {build_id}, {at:%Y-%m-%d %H:%M:%S} UTC, data until {until}, version {version}")
        _by_a_person(context, build_id)
    else:
        console.print("Published build: none yet")
    files = context.ledger.files()
    _logs(files)
    for file in files:
        if file.refusal:
            accepted = " (accepted)" if file.is_accepted else ""
            console.print(f"refused{accepted}: {file.log}/{file.source_file}: {file.refusal}")
    for line in quarantine.status_lines(context, files):
        console.print(line)
    for line in completeness.describe_days(missing_days(context), context.settings.logs_expected_daily):
        console.print(f"missing: {line}")
    candidate = context.ledger.candidate()
    failed = [check for check in context.ledger.checks(candidate.build_id) if not check.passed] if candidate else []
    for check in failed:
        console.print(f"{'failed' if check.is_blocking else 'warning'} {check.name}: {check.detail}")
    if not failed and candidate:
        console.print(f"Checks of build {candidate.build_id}: all hold")
    _audit_page(context)


def _by_a_person(context: AppContext, build_id: str) -> None:
    """What people said of the published build: that it is published over what held it back, or was gone back to."""
    last = context.ledger.publications()[-1:]
    for publication in last:
        if publication.rolled_back_from:
            at = f"{publication.published_at:%Y-%m-%d %H:%M:%S} UTC"
            console.print(f"  gone back to at {at} from build {publication.rolled_back_from}")
    for override in context.ledger.overrides(build_id):
        console.print(f"  overridden at {override.overridden_at:%Y-%m-%d %H:%M:%S} UTC: {override.reason}")
        for hold in override.overridden:
            console.print(f"    {hold}")


def _logs(files: list[LoadedFile]) -> None:
    table = Table(title="Logs", title_justify="left")
    table.add_column("Log")
    for header in ("Files", "Rows accepted", "Quarantined", "Files refused"):
        table.add_column(header, justify="right")
    for header in ("First log date", "Last log date"):
        table.add_column(header)
    for log in Log:
        of_log = [file for file in files if file.log == log]
        dates = sorted(file.log_date for file in of_log)
        table.add_row(
            log,
            str(len(of_log)),
            f"{sum(file.accepted for file in of_log):,}",
            f"{sum(file.rejected for file in of_log):,}",
            str(sum(file.refusal is not None for file in of_log)),
            str(dates[0]) if dates else "",
            str(dates[-1]) if dates else "",
        )
    console.print(table)


def _short(path: AnyPath) -> str:
    """A path as a person in the project's folder would type it."""
    is_in_project = not is_object(path) and path.is_relative_to(PROJECT)
    return str(path.relative_to(PROJECT)) if is_in_project else str(path)
