"""`sendmart status` and `sendmart accept`: what there is, and what a person says of it."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from orchestration import telling
from orchestration.commands.common import SENSELESS, open_warehouse


def status() -> None:
    """The last refresh and the published build, what each log gave, what is missing, what failed."""
    telling.status(open_warehouse())


def accept(
    file: Annotated[str, typer.Argument(help="The file: its path, or <log>/<name> as in sends/2026-01-05.csv.gz")],
    reason: Annotated[str, typer.Option(help="Why what was found in it is acceptable; it is recorded.")],
) -> None:
    """Accept what was found in this content of this file: it no longer holds publication back."""
    warehouse = open_warehouse()
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
