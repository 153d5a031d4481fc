"""Prints `sendmart status`: the last refresh, the published build, the logs, the quarantine and the checks.

Not here: the end of a refresh (`orchestration.cli.output.refresh`).
"""

import shutil

from rich.table import Table

from models.enums import Log
from orchestration.cli.output import landing, quarantine
from orchestration.cli.output.console import console, right_aligned
from orchestration.cli.output.refresh import print_audit_page
from orchestration.stages import AppContext, group_by_date, missing_days
from orchestration.wording import counted
from warehouse.duckdb_tools import attached, corruption_reason, fetch_row
from warehouse.explain.unconverted import describe_unconverted
from warehouse.landing import completeness
from warehouse.landing.proposals import IgnoredFiles
from warehouse.ledger import LoadedFile, summarize_logs


def print_status(context: AppContext, days: int) -> None:
    """Prints the state of the warehouse, with the records of the log-days of the latest `days` log dates."""
    last = context.ledger.last_refresh()
    if last is None:
        console.print("Last refresh: none yet. Next: sendmart refresh")
    else:
        seconds = (last.finished_at - last.started_at).total_seconds()
        console.print(f"Last refresh: {last.started_at:%Y-%m-%d %H:%M:%S} UTC, {seconds:.0f} s: {last.outcome}")
        if last.outcome == "held back" and (build_id := context.ledger.published_since(last.finished_at)):
            console.print(f"  build {build_id} was published afterwards")
        else:
            for line in last.message.splitlines():
                console.print(f"  {line}")
    if context.settings.data.exists():
        console.print(f"Free disk space: {shutil.disk_usage(context.settings.data).free / 1e9:,.2f} GB")
    _print_published_build(context)
    files = context.ledger.files()
    _print_logs(files)
    _print_log_days(files, days)
    lines = [quarantine.refused_line(file) for file in files if file.refusal]
    lines += quarantine.status_lines(context, files)
    lines += landing.status_lines(context)
    missing = missing_days(context)
    lines += [f"missing: {line}" for line in completeness.describe_days(missing, context.settings.logs_expected_daily)]
    lines += [f"  {line}" for line in IgnoredFiles(context.scan_landing()).of_days(missing)]
    for line in lines:
        console.print(line)
    candidate = context.ledger.candidate()
    if candidate is not None:
        failed = [check for check in context.ledger.checks(candidate.build_id) if not check.passed]
        for check in failed:
            detail = check.detail.replace("\n", "\n  ")
            console.print(f"{'failed' if check.is_blocking else 'warning'} {check.name}: {detail}")
        if not failed:
            console.print(f"Checks of build {candidate.build_id}: all passed")
    print_audit_page(context)


def _print_published_build(context: AppContext) -> None:
    marts = context.paths.published_marts
    last = context.ledger.last_publication()
    if last and (reason := corruption_reason(marts)):
        console.print(f"Published build: {reason}. Next: sendmart refresh, or: sendmart rollback BUILD")
    elif last and marts.exists():
        query = "select build_id, published_at, data_until, version from published.marts.build_info"
        with attached(published=marts) as connection:
            build_id, published_at, data_until, version = fetch_row(connection, query)
            unconverted = describe_unconverted(context.settings, context.paths, connection, "published")
        published = f"{published_at:%Y-%m-%d %H:%M:%S} UTC, data until {data_until}, version {version}"
        console.print(f"Published build: {build_id}, {published}")
        for line in unconverted:
            console.print(f"  {line}")
        latest = context.ledger.publications()[-1]
        if latest.rolled_back_from:
            moment = f"{latest.published_at:%Y-%m-%d %H:%M:%S} UTC"
            console.print(f"  rolled back at {moment} from build {latest.rolled_back_from}")
        for override in context.ledger.overrides(build_id):
            console.print(f"  overridden at {override.overridden_at:%Y-%m-%d %H:%M:%S} UTC: {override.reason}")
            for problem in override.overridden:
                console.print(f"    {problem}")
    else:
        console.print("Published build: none yet")


def _print_logs(files: list[LoadedFile]) -> None:
    numbers = right_aligned("Files", "Rows accepted", "Quarantined", "Files refused")
    table = Table("Log", *numbers, "First log date", "Last log date", title="Logs", title_justify="left")
    for log, summary in summarize_logs(files).items():
        table.add_row(
            log,
            str(summary.files),
            f"{summary.accepted_rows:,}",
            f"{summary.rejected_rows:,}",
            str(summary.refused_files),
            str(summary.first_log_date or ""),
            str(summary.last_log_date or ""),
        )
    console.print(table)


def _print_log_days(files: list[LoadedFile], days: int) -> None:
    """How many records came on each log-day, and what became of them."""
    by_date = group_by_date(files)
    dates = sorted(by_date, reverse=True)
    numbers = right_aligned("Files", "Records", "Accepted", "Rejected", "Not selected", "Conflicting")
    table = Table("Log date", "Log", *numbers, title="Log days", title_justify="left")
    for day in dates[:days]:
        for log in Log:
            if of_day := [file for file in by_date[day] if file.log == log]:
                refused = sum(file.refusal is not None for file in of_day)
                counts = [
                    sum(getattr(file, name) for file in of_day)
                    for name in ("records", "accepted", "rejected", "not_selected", "conflicting")
                ]
                names = f"{len(of_day)}" + (f" ({refused} refused)" if refused else "")
                table.add_row(str(day), log, names, *(f"{count:,}" for count in counts))
    if table.row_count:
        console.print(table)
    if len(dates) > days:
        earlier = counted(len(dates) - days, "earlier log date")
        console.print(f"{earlier} not listed: sendmart status --days {len(dates)}")
