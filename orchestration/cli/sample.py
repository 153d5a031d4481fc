"""`sendmart sample`: write sample logs."""

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.common import USAGE_ERROR, fail, open_context
from orchestration.cli.output.console import console, short_path
from warehouse.storage import is_object


def sample(
    sends: Annotated[int, typer.Option(min=1, help="Number of messages sent.")] = 60_000,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Number of days.")] = 45,
    until: Annotated[str | None, typer.Option(help="Last log date, as 2026-01-31. Default: yesterday, in UTC.")] = None,
    seed: Annotated[
        int, typer.Option(help="Random seed. The same seed and last log date give the same files, byte for byte.")
    ] = 1,
    to: Annotated[Path | None, typer.Option(help="Folder to write to. Default: the landing zone.")] = None,
    file_format: Annotated[
        str, typer.Option("--format", help="mixed, or one format for all logs: csv, csv.gz, jsonl, jsonl.gz, parquet.")
    ] = "mixed",
    first_run: Annotated[
        bool,
        typer.Option(help="Write only if SENDMART_LANDING is not set, the landing zone is empty and no lake exists."),
    ] = False,
) -> None:
    """Write realistic sample logs.

    Exit code 0: written. 2: the folder is not empty, or an option or a setting is invalid.
    """
    from sample_data import write_sample

    context = open_context()
    folder = to or context.settings.landing
    if is_object(folder):
        if first_run:
            return
        fail(f"{folder} is in an object store. Write to a folder with --to, and copy the files there", USAGE_ERROR)
    # On a first run, written to a temporary folder and renamed: an interrupted run leaves no incomplete sample.
    target = folder.with_name(f".{folder.name}.tmp") if first_run else folder
    if first_run:
        is_in_use = "landing" in context.settings.model_fields_set or context.paths.has_lake()
        if is_in_use or (folder.is_dir() and any(folder.iterdir())):
            return
        shutil.rmtree(target, ignore_errors=True)
    try:
        summary = write_sample(
            target, sends=sends, days=days, seed=seed, file_format=file_format, until=_last_log_date(until)
        )
        if first_run:
            target.replace(folder)
            summary = replace(summary, to=folder)
    except FileExistsError as error:
        fail(f"{error}. Write to another folder with --to, or empty this one first", USAGE_ERROR)
    except ValueError as error:
        fail(str(error), USAGE_ERROR)
    rows = ", ".join(f"{log} {count:,}" for log, count in summary.rows.items())
    console.print(
        f"Sample logs of {summary.first_log_date} to {summary.last_log_date} in {short_path(summary.to)}:"
        f" {summary.files} files, {summary.bytes / 1e6:.1f} MB ({rows})"
    )


def _last_log_date(until: str | None) -> date:
    """The last log date of a sample. Raises ValueError."""
    if until is None:
        return datetime.now(UTC).date() - timedelta(days=1)
    try:
        return date.fromisoformat(until)
    except ValueError:
        raise ValueError(f"--until {until}: is no date; write it as 2026-01-31") from None
