"""`sendmart quarantine`: what is in quarantine and why, and rows of it as log files to be mended and dropped again."""

from pathlib import Path
from typing import Annotated

import typer

from models.enums import Log
from models.masking import sanitize
from orchestration.cli.common import FAILED, USAGE_ERROR, named, open_warehouse
from orchestration.cli.output import quarantine
from orchestration.cli.output.console import console
from warehouse.quarantine.export import NotExportable
from warehouse.quarantine.export import export as export_to_mend
from warehouse.storage import is_object

app = typer.Typer(name="quarantine", no_args_is_help=True, help="Rows in quarantine: see them, and mend them.")


@app.command("list")
def list_(
    log: Annotated[Log | None, typer.Argument(help="Of this log alone.")] = None,
    files: Annotated[int, typer.Option(min=1, help="At most so many files.")] = 20,
    reasons: Annotated[int, typer.Option(min=1, help="Of each file, its most frequent reasons.")] = 5,
) -> None:
    """Files with rows in quarantine, how many and why; files that stand refused."""
    for line in quarantine.list_lines(open_warehouse(), log, files, reasons):
        console.print(line)


@app.command()
def export(
    log: Annotated[Log, typer.Argument(help="The log.")],
    file: Annotated[
        str | None, typer.Argument(help="A file of it, as sendmart quarantine list names it; or all.")
    ] = None,
    *,
    to: Annotated[Path, typer.Option(help="The folder to write to; laid out as a landing zone.")],
    rows_only: Annotated[
        bool, typer.Option(help="The bad rows alone, as a further part of the log date, to be dropped beside the file.")
    ] = False,
) -> None:
    """Write files of a log that have rows in quarantine, to be mended and dropped again.

    Each is written whole, good rows and bad, under its own name: mended and dropped in its place, it empties its quarantine.
    """
    context = open_warehouse()
    landing = context.settings.landing
    if not is_object(landing) and to.absolute().resolve().is_relative_to(landing.resolve()):
        typer.echo(f"--to must not be in the landing zone {landing}: mend first, then drop", err=True)
        raise typer.Exit(USAGE_ERROR)
    name = file and file.removeprefix(f"{log}/")
    files = context.ledger.files(log)
    noted = named(files, f"{log}/{name}") if name else [known for known in files if known.rejected]
    if not noted:
        what = f"{log}/{name}: no such file was loaded" if name else f"{log}: nothing is in quarantine"
        typer.echo(f"{what}; sendmart quarantine list tells what there is", err=True)
        raise typer.Exit(USAGE_ERROR if name else FAILED)
    failed = False
    for known in noted:
        try:
            written = export_to_mend(context.settings, context.paths, known, to, rows_only=rows_only)
        except (NotExportable, FileExistsError) as error:
            typer.echo(sanitize(f"{log}/{known.source_file}: {error}"), err=True)
            failed = True
            continue
        for line in quarantine.mendable_lines(landing, known, written, rows_only=rows_only):
            console.print(line)
    if failed:
        raise typer.Exit(FAILED)
