"""The command line `sendmart`: arguments in, a stage or the Dagster job run, words and an exit code out.

Exit codes: 0 done, or nothing to do; 1 held back or failed, with the reason and the next step in the last lines; 2 a
setting or an argument makes no sense.

Not here: what a stage does (`orchestration.stages`), how results are worded (`orchestration.telling`).
"""

import contextlib
import logging
import os
import shutil
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import duckdb
import typer
from filelock import Timeout

from orchestration import telling
from orchestration.stages import Warehouse, find_work, prune_exports
from orchestration.stages import export as export_reports
from warehouse.dbt import BuildFailed
from warehouse.exports import REPORTS, NothingPublished, Unchanged
from warehouse.ledger import Refresh, now
from warehouse.settings import PROJECT, SettingsError, is_set, load_settings

OK, FAILED, SENSELESS = 0, 1, 2

app = typer.Typer(
    name="sendmart",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="The warehouse behind SMS/MMS campaign reports: loads daily logs, builds and audits the report marts, publishes"
    " them and exports CSV files. Settings come from SENDMART_… variables and .env; README.md lists them.",
)


def _open() -> Warehouse:
    """The warehouse of the settings in force; ends the program where they make no sense."""
    try:
        return Warehouse.of(load_settings())
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(SENSELESS) from error


def _show_progress() -> None:
    # A copy of standard output: Dagster turns the original aside while a step runs.
    handler = logging.StreamHandler(os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8"))
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logger = logging.getLogger("sendmart")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


@app.command()
def refresh(
    full_refresh: Annotated[bool, typer.Option(help="Build everything anew, even where nothing has changed.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Only say what a refresh would do.")] = False,
    verify: Annotated[bool, typer.Option(help="Hash every file, instead of trusting size and time stamps.")] = False,
) -> None:
    """Load what is new in the landing zone, build, audit, publish, export, prune.

    Exit code 0: published, or nothing new. 1: held back or failed; what was published before is untouched. 2: a setting
    makes no sense.
    """
    warehouse = _open()
    _show_progress()
    if dry_run:
        work = find_work(warehouse, verify=verify, full_refresh=full_refresh)
        telling.landing(warehouse, work)
        telling.plan(work)
        return
    started_at = now()
    try:
        with _writer(warehouse):
            # Looked for only now: what another refresh has just done is no work any more.
            work = find_work(warehouse, verify=verify, full_refresh=full_refresh)
            telling.landing(warehouse, work)
            if work.is_nothing:
                prune_exports(warehouse)
                ended = Refresh(started_at, now(), "nothing new", "")
                warehouse.ledger.note_refresh(ended)
            else:
                # Dagster takes seconds to import: a refresh with nothing to do does without.
                from orchestration.running import run_refresh

                ended = run_refresh(warehouse, work, verify=verify, full_refresh=full_refresh)
    except Exception as error:
        if not isinstance(error, OSError | BuildFailed | duckdb.Error | sqlite3.Error):
            # No full disk, no folder without permission, no model that cannot be parsed: a trace may help.
            logging.getLogger("sendmart").exception("the refresh broke off")
        words = " ".join(str(error).split())[:600]
        ended = Refresh(started_at, now(), "failed", words)
        with contextlib.suppress(OSError, sqlite3.Error):
            warehouse.ledger.note_refresh(ended)
    telling.end_of_refresh(warehouse, ended)
    raise typer.Exit(OK if ended.outcome in ("published", "nothing new") else FAILED)


def _writer(warehouse: Warehouse):
    """The writer's lock; says so where it has to wait for another refresh."""
    try:
        with warehouse.paths.writer(timeout=0):
            pass
    except Timeout:
        telling.console.print("Another refresh is at work on this data folder: waiting for it to end.")
    return warehouse.paths.writer()


@app.command()
def sample(
    sends: Annotated[int, typer.Option(min=1, help="How many messages were sent.")] = 20_000,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Over how many days.")] = 14,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files, byte for byte.")] = 1,
    to: Annotated[
        Path | None, typer.Option(help="The landing zone to write to; by default that of the settings.")
    ] = None,
    file_format: Annotated[
        str, typer.Option("--format", help="mixed, or one of csv, csv.gz, jsonl, jsonl.gz, parquet for all logs.")
    ] = "mixed",
    first_run: Annotated[
        bool,
        typer.Option(help="Do nothing where SENDMART_LANDING is set or there is a lake: somebody's logs are in use."),
    ] = False,
) -> None:
    """Write realistic sample logs: the first thing to look at, and the benchmark's input."""
    from warehouse.sample import write_sample

    warehouse = _open()
    folder = to or warehouse.settings.landing
    if first_run:
        in_use = folder.is_dir() and any(folder.iterdir())
        if in_use or is_set("landing") or warehouse.paths.has_lake():
            return
    # Written aside and renamed on a first run: broken off, it leaves no half of a sample to be taken for the whole.
    aside = folder.with_name(f".{folder.name}.tmp") if first_run else folder
    try:
        if first_run:
            shutil.rmtree(aside, ignore_errors=True)
        summary = write_sample(aside, sends=sends, days=days, seed=seed, file_format=file_format)
        if first_run:
            aside.replace(folder)
            summary = replace(summary, to=folder)
    except FileExistsError as error:
        typer.echo(f"{error}. Give another folder with --to, or empty it first.", err=True)
        raise typer.Exit(SENSELESS) from error
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(SENSELESS) from error
    telling.sample(summary)


@app.command()
def status() -> None:
    """The last refresh and the published build, what each log gave, what is missing, what failed."""
    telling.status(_open())


@app.command()
def accept(
    file: Annotated[str, typer.Argument(help="The file: its path, or <log>/<name> as in sends/2026-01-05.csv.gz")],
    reason: Annotated[str, typer.Option(help="Why what was found in it is acceptable; it is recorded.")],
) -> None:
    """Accept what was found in this content of this file: it no longer holds publication back."""
    warehouse = _open()
    with contextlib.suppress(ValueError):
        file = Path(file).absolute().relative_to(warehouse.settings.landing).as_posix()
    log, _, source_file = file.partition("/")
    if not reason.strip():
        typer.echo("--reason must say why", err=True)
        raise typer.Exit(SENSELESS)
    noted = [known for known in warehouse.ledger.files() if (known.log, known.source_file) == (log, source_file)]
    if not noted:
        typer.echo(f"{file}: no such file was loaded or refused; sendmart status lists what was found", err=True)
        raise typer.Exit(SENSELESS)
    warehouse.ledger.accept(noted[0].log, source_file, noted[0].sha256, reason.strip())
    typer.echo(f"{file}: accepted, for this content. Next: sendmart refresh")


@app.command()
def export(
    reports: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(REPORTS)}; all by default.")] = None,
    all_campaigns: Annotated[
        bool, typer.Option(help="Every campaign, not only those that changed since the last export.")
    ] = False,
) -> None:
    """Write CSV exports of the published marts now, and prune old ones, as the scheduled exports do.

    The campaign table and the overview hold every campaign. Contact-level reports hold, whole, the campaigns that changed
    since the last export; the .json beside each says which.
    """
    warehouse = _open()
    unknown = [report for report in reports or [] if report not in REPORTS]
    if unknown:
        typer.echo(f"no such report: {', '.join(unknown)}; there are {', '.join(REPORTS)}", err=True)
        raise typer.Exit(SENSELESS)
    try:
        with _writer(warehouse):
            told = export_reports(warehouse, reports or REPORTS, all_campaigns=all_campaigns)
            prune_exports(warehouse)
    except NothingPublished as error:
        typer.echo(f"{error}. Next: sendmart refresh", err=True)
        raise typer.Exit(FAILED) from error
    for one in told:
        place = warehouse.paths.exports / one.report
        if isinstance(one, Unchanged):
            typer.echo(f"{place / one.since}: nothing has changed since. Every campaign: --all-campaigns")
        else:
            typer.echo(f"{place / one.file}: {one.rows} rows")


@app.command()
def dev() -> None:
    """Open Dagster's UI on the project, with the data folder's history."""
    from orchestration.running import dagster_home

    home = dagster_home(_open())
    program = shutil.which("dg", path=str(Path(sys.executable).parent))
    os.chdir(PROJECT)
    os.execve(program, [program, "dev"], {**os.environ, "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "1"})


def main() -> None:
    """The program `sendmart`. What a person can mend ends in one line; anything else is a fault, and shows its trace."""
    try:
        app()
    except (OSError, sqlite3.Error, duckdb.Error) as error:
        typer.echo(f"sendmart: {error}", err=True)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
