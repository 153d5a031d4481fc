"""`sendmart quarantine`: list rejected rows, and export them for repair."""

from pathlib import Path
from typing import Annotated

import typer

from models.enums import Log
from models.masking import sanitize
from orchestration.cli.common import FAILED, USAGE_ERROR, fail, find_files, open_context
from orchestration.cli.output import quarantine as quarantine_output
from orchestration.cli.output.console import console
from warehouse.quarantine import NotExportable, export_for_repair
from warehouse.storage import is_object

app = typer.Typer(name="quarantine", no_args_is_help=True, help="List rejected rows, and export them for repair.")


@app.command("list")
def list_(
    log: Annotated[Log | None, typer.Argument(help="List this log only.")] = None,
    files: Annotated[int, typer.Option(min=1, help="Largest number of files to list.")] = 20,
    reasons: Annotated[int, typer.Option(min=1, help="Number of most frequent reasons for each file.")] = 5,
) -> None:
    """List files with rejected rows, those that lost the largest share of their rows first, and refused files.

    Exit code 0, also if there are none. 2: an argument or a setting is invalid.
    """
    for line in quarantine_output.list_lines(open_context(), log, files, reasons):
        console.print(line)


@app.command()
def export(
    log: Annotated[Log, typer.Argument(help="The log.")],
    file: Annotated[
        str | None,
        typer.Argument(
            help="A file of the log, as sendmart quarantine list prints it. Default: all with rejected rows."
        ),
    ] = None,
    *,
    to: Annotated[Path, typer.Option(help="Folder to write to. It is laid out like a landing zone.")],
    rows_only: Annotated[
        bool, typer.Option(help="Write the rejected rows only, as one more file of the same log date.")
    ] = False,
) -> None:
    """Write files with rejected rows, to be fixed and dropped again.

    A file is written whole and under its own name. Once it is fixed and dropped into the landing zone, it replaces the
    first version, and its rows leave the quarantine. docs/contracts.md says how to fix rows.

    Exit code 0: written. 1: nothing is in quarantine, or a file cannot be exported. 2: an argument or a setting is invalid.
    """
    context = open_context()
    landing = context.settings.landing
    if not is_object(landing) and to.absolute().resolve().is_relative_to(landing.resolve()):
        fail(f"--to must not be in the landing zone {landing}: fix the files before you drop them there", USAGE_ERROR)
    name = file and file.removeprefix(f"{log}/")
    log_files = context.ledger.files(log)
    if name:
        selected = find_files(log_files, f"{log}/{name}")
        if not selected:
            fail(f"{log}/{name}: no such file was loaded. See: sendmart quarantine list", USAGE_ERROR)
    else:
        selected = [log_file for log_file in log_files if log_file.rejected]
        if not selected:
            fail(f"{log}: no rows are in quarantine. See: sendmart quarantine list")
    has_failed = False
    for selected_file in selected:
        try:
            source = context.sources.get(selected_file.source)
            written = export_for_repair(
                context.settings,
                context.paths,
                selected_file,
                to,
                rows_only=rows_only,
                mapping=source.mapping if source else None,
            )
        except (NotExportable, FileExistsError) as error:
            typer.echo(sanitize(f"{log}/{selected_file.source_file}: {error}"), err=True)
            has_failed = True
            continue
        for line in quarantine_output.repair_lines(landing, selected_file, written, rows_only=rows_only):
            console.print(line)
    if has_failed:
        raise typer.Exit(FAILED)
