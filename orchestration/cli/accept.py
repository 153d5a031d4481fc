"""`sendmart accept`: a person waives the problems in one version of a log file."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.common import USAGE_ERROR, named, open_warehouse
from warehouse.storage import is_object


def accept(
    file: Annotated[str, typer.Argument(help="The file: its path, or <log>/<name> as in sends/2026-01-05.csv.gz")],
    reason: Annotated[str, typer.Option(help="Why what was found in it is acceptable; it is recorded.")],
) -> None:
    """Accept what was found in this content of this file: it no longer holds publication back."""
    context = open_warehouse()
    landing = context.settings.landing
    if is_object(landing):
        file = file.removeprefix(f"{landing}/")
    else:
        with contextlib.suppress(ValueError):
            file = Path(file).absolute().relative_to(landing).as_posix()
    if not reason.strip():
        typer.echo("--reason must say why", err=True)
        raise typer.Exit(USAGE_ERROR)
    found = named(context.ledger.files(), file)
    if len(found) != 1:
        why = f"{len(found)} files are shown by this name" if found else "no such file was loaded or refused"
        typer.echo(f"{file}: {why}; sendmart status lists what was found", err=True)
        raise typer.Exit(USAGE_ERROR)
    context.ledger.accept(found[0].log, found[0].source_file, found[0].sha256, reason.strip())
    typer.echo(f"{file}: accepted, for this content. Next: sendmart refresh")
