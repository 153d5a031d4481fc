"""`sendmart check`: validate a file before it is dropped."""

from pathlib import Path
from typing import Annotated

import typer

from models.enums import Log
from orchestration.cli.common import FAILED, USAGE_ERROR, fail
from orchestration.cli.output.trial import print_trials, trials_as_json
from quality.admission import validate
from warehouse.ingest.trial import try_file
from warehouse.landing import file_kind


def check(
    log: Annotated[Log, typer.Argument(help="The log whose contract the file must keep.")],
    file: Annotated[Path, typer.Argument(help="The file: CSV, JSON or Parquet, compressed or not.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check a file against the contract of a log, before it is dropped. It needs no data folder, and writes nothing.

    Exit code 0: every record would be accepted. 1: a record would be rejected, or the file refused. 2: an argument is invalid.
    """
    if not file.is_file():
        fail(f"{file}: no such file", USAGE_ERROR)
    try:
        file_kind(file.name)
    except KeyError:
        fail(
            f"{file}: the name must end in .csv, .json, .jsonl, .ndjson or .parquet; .gz or .zst may follow",
            USAGE_ERROR,
        )
    trial = try_file(file, log, None, validate, samples=0)
    if as_json:
        typer.echo(trials_as_json([trial]))
    else:
        print_trials([trial])
    if not trial.is_accepted:
        raise typer.Exit(FAILED)
