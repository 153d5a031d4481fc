"""Prints a refresh: what is in the landing zone, what it would do, how it ended, and the next step.

Not here: `sendmart status` (`orchestration.cli.output.status`).
"""

import contextlib
import sqlite3

import duckdb
from rich.table import Table

from models.error_codes import Code
from models.masking import sanitize
from orchestration.cli.output.console import console, print_lines, right_aligned, short_path
from orchestration.cli.output.landing import ignored_lines
from orchestration.cli.output.quarantine import conflict_lines
from orchestration.stages import AppContext, RefreshPlan, audit_page_of
from orchestration.wording import counted
from quality.gate import GateResult
from warehouse.duckdb_tools import attached, corruption_reason
from warehouse.explain.unconverted import describe_unconverted
from warehouse.ledger import Refresh

MAX_LINES = 20
MAX_REFUSED_FILES = 5
MAX_CONFLICT_LINES = 3
MAX_IGNORED_FILES = 5

FILE_CODES = (Code.FILE_REFUSED, Code.FILE_WITHOUT_ROWS, Code.ROWS_REJECTED, Code.KEY_CONFLICTS)
"""The problems of log files, which a person fixes or accepts."""


def print_landing(context: AppContext, plan: RefreshPlan) -> None:
    """Prints how many log files the landing zone holds, and how many of them are new or changed."""
    zone = context.scan_landing()
    files = counted(len({file.path_in_landing for file in zone.files}), "log file")
    console.print(f"Landing zone {short_path(context.settings.landing)}: {files}")
    if not zone.files:
        console.print("  No log files yet. Next: sendmart sample, or set SENDMART_LANDING to the folder of your logs")
    counts = [f"{log} {len(files)}" for log, files in plan.files.items() if files]
    if counts:
        console.print(f"  new or changed: {', '.join(counts)}")
    print_lines(plan.reloaded, MAX_LINES)


def print_ignored(context: AppContext, max_files: int = MAX_IGNORED_FILES) -> None:
    for line in ignored_lines(context.scan_landing(), max_files):
        console.print(line)


def print_plan(plan: RefreshPlan) -> None:
    for log, files in plan.files.items():
        for file in files:
            is_withdrawn = file.source is not None and file.source.mapping is None
            step = "would remove the rows of" if is_withdrawn else "would load"
            console.print(f"{step} {log}/{file.source_file}")
    for is_needed, step in (
        (plan.must_build, "would build and audit, and publish unless held back"),
        (plan.must_publish and not plan.must_build, "would run the release gate on the current candidate"),
        (plan.must_export, "would export"),
        (plan.is_empty, "Everything is up to date: nothing to do."),
    ):
        if is_needed:
            console.print(step)


def print_hold(gate_result: GateResult) -> None:
    """Prints what would hold the candidate back, if anything."""
    if not gate_result.may_publish:
        console.print("would be held back:")
        print_lines([str(problem) for problem in gate_result.blocking_problems], MAX_LINES)


def print_outcome(context: AppContext, refresh: Refresh) -> None:
    """Prints how a refresh ended and the next step: after a success, with the latest figures and where the files are."""
    if not refresh.is_good:
        _print_failure(context, refresh)
        return
    if context.ledger.last_publication() is None:
        console.print(
            f"Nothing is published: there is no log file in {short_path(context.settings.landing)}, and none was loaded before."
        )
        print_ignored(context)
        console.print(
            "Next: drop log files there, or set SENDMART_LANDING to the folder of your logs; sendmart refresh"
        )
        return
    files = context.ledger.files()
    rejected = sum(file.rejected for file in files)
    refused = [f"{file.log}/{file.source_file}" for file in files if file.refusal]
    marts = short_path(context.paths.published_marts)
    with attached(published=context.paths.published_marts) as connection:
        _print_figures(connection)
        unconverted = describe_unconverted(context.settings, context.paths, connection, "published")
    if refresh.outcome == "nothing new":
        console.print("Up to date: no new files, nothing to build or publish.")
    if rejected:
        quarantine = short_path(context.paths.published_quarantine)
        console.print(f"In quarantine: {counted(rejected, 'row')}, see {quarantine}")
    for line in conflict_lines(files, MAX_CONFLICT_LINES):
        console.print(line)
    for line in unconverted:
        console.print(line)
    if refused:
        more = ", …" if len(refused) > MAX_REFUSED_FILES else ""
        console.print(f"Refused files, accepted: {', '.join(refused[:MAX_REFUSED_FILES])}{more}")
    print_ignored(context)
    last, candidate = context.ledger.last_publication(), context.ledger.candidate()
    if last and candidate:
        console.print(f"Build {last[0]}, published {last[1]:%Y-%m-%d %H:%M} UTC, data until {candidate.data_until}")
    console.print(f"Published marts: {marts}")
    if (store := context.paths.published_store) is not None:
        console.print(f"  for readers:   {store / context.paths.current.name} names the file")
    console.print(f"CSV exports:     {short_path(context.paths.exports)}/<report>/")
    print_audit_page(context)
    console.print("Next: .venv/bin/sendmart status, make dev, or query the marts: .venv/bin/python -c \\")
    console.print(
        f"  \"import duckdb; print(duckdb.connect('{marts}', read_only=True).sql('from marts.campaign_overview'))\""
    )


def _print_failure(context: AppContext, refresh: Refresh) -> None:
    is_held_back = refresh.outcome == "held back"
    console.print()
    summary = "HELD BACK: this build was not published." if is_held_back else "FAILED: the refresh did not finish."
    console.print(f"{summary} {_published_state(context, refresh)}")
    lines = refresh.message.splitlines()
    print_lines(lines, MAX_LINES, "more: sendmart status")
    if is_held_back:
        # A damaged candidate, or one that another refresh is replacing, is not a reason to fail here.
        with contextlib.suppress(duckdb.Error), attached(candidate=context.paths.candidate) as connection:
            for line in describe_unconverted(context.settings, context.paths, connection, "candidate"):
                console.print(line)
        print_ignored(context)
        has_bad_files = any(line.startswith(FILE_CODES) for line in lines)
        console.print(
            "Next: fix these files and drop them again, or accept them: sendmart accept FILE --reason …; then: sendmart refresh"
            if has_bad_files
            else "Next: fix the problems above, then: sendmart refresh; or publish anyway: sendmart publish --override …"
        )
        quarantine, candidate = short_path(context.paths.published_quarantine), short_path(context.paths.candidate)
        page = f". Audit page: {short_path(page)}" if (page := audit_page_of(context)) else ""
        console.print(f"Rows in quarantine: {quarantine}. Candidate: {candidate}{page}")
    else:
        console.print("Next: fix the cause, then: sendmart refresh. It resumes where this one stopped.")


def _published_state(context: AppContext, refresh: Refresh) -> str:
    """What readers see after a refresh that was held back or failed."""
    try:
        last = context.ledger.last_publication()
    except (OSError, sqlite3.Error):
        return "The published build is untouched."
    if last is None:
        return "Nothing has been published yet."
    if last[1] >= refresh.started_at:
        return "The new build was published; the steps after publication did not finish."
    if reason := corruption_reason(context.paths.published_marts):
        # The way out if the candidate may not replace it.
        return f"The published file cannot be read: {reason}. Roll back to a kept build: sendmart rollback BUILD."
    return "The published build is untouched."


def _print_figures(connection: duckdb.DuckDBPyConnection) -> None:
    rows = connection.execute(
        "select campaign_name, campaign_type, strftime(last_sent_at, '%Y-%m-%d %H:%M'), total_sent, total_delivered,"
        " unique_clickers, direct_orders, revenue from published.marts.campaign_metrics"
        " order by last_sent_at desc nulls last, campaign_id limit 5"
    ).fetchall()
    numbers = right_aligned("Sent", "Delivered", "Clickers", "Orders", "Revenue")
    title = "campaign_metrics, the latest five"
    table = Table("Campaign name", "Type", "Last sent", *numbers, title=title, title_justify="left")
    for row in rows:
        table.add_row(*("" if value is None else " ".join(sanitize(str(value)).split()) for value in row))
    console.print()
    console.print(table)


def print_audit_page(context: AppContext) -> None:
    if page := audit_page_of(context):
        console.print(f"Audit page: {short_path(page)}")
