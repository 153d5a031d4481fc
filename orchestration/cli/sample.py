"""`sendmart sample`: logs to try things out with."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.common import USAGE_ERROR, open_warehouse
from orchestration.cli.output import console
from warehouse.storage import is_object


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
    from sample_data import write_sample

    context = open_warehouse()
    folder = to or context.settings.landing
    if is_object(folder) and not first_run:
        typer.echo(f"{folder} is in an object store: give a folder with --to, and copy it there", err=True)
        raise typer.Exit(USAGE_ERROR)
    if first_run and ("landing" in context.settings.model_fields_set or context.paths.has_lake()):
        return
    if first_run:
        in_use = folder.is_dir() and any(folder.iterdir())
        if in_use:
            return
    # Written aside and renamed on a first run: broken off, it leaves no half of a sample to be taken for the whole.
    temp_path = folder.with_name(f".{folder.name}.tmp") if first_run else folder
    try:
        if first_run:
            shutil.rmtree(temp_path, ignore_errors=True)
        summary = write_sample(temp_path, sends=sends, days=days, seed=seed, file_format=file_format)
        if first_run:
            temp_path.replace(folder)
            summary = replace(summary, to=folder)
    except FileExistsError as error:
        typer.echo(f"{error}. Give another folder with --to, or empty it first.", err=True)
        raise typer.Exit(USAGE_ERROR) from error
    except ValueError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(USAGE_ERROR) from error
    console.sample(summary)
