"""`sendmart erase`: a contact and its numbers are replaced by random tokens, for good."""

import sys
from typing import Annotated

import typer

from models.masking import sanitize
from models.text_types import ASCII_WHITE_SPACE, MAX_ID_CHARACTERS
from orchestration import stages
from orchestration.cli.common import FAILED, USAGE_ERROR, open_warehouse, utf_8, writer_lock
from warehouse.erasure import SPREADSHEETS
from warehouse.privacy.keyed_hash import KeyMissing
from warehouse.transform import spark

FILES_SHOWN = 20


def erase(
    contact: Annotated[str, typer.Option(help="The contact's id; - reads it from standard input.", callback=utf_8)],
    reason: Annotated[str, typer.Option(help="Why, such as the number of a request; it is recorded.")] = "",
) -> None:
    """Replace a contact and its numbers by random tokens, and blank free text of theirs: for good.

    In lake, quarantine, published builds and exports; figures stay what they were. What comes of the contact later is read
    the same way. docs/privacy.md says what is not Sendmart's to erase.
    """
    context = open_warehouse()
    contact_id = (sys.stdin.readline() if contact == "-" else contact).strip(ASCII_WHITE_SPACE)
    if not 1 <= len(contact_id) <= MAX_ID_CHARACTERS:
        typer.echo(f"--contact must be 1 to {MAX_ID_CHARACTERS} characters", err=True)
        raise typer.Exit(USAGE_ERROR)
    try:
        with writer_lock(context):
            erasure = stages.erase_contact(context, contact_id, reason.strip())
    except KeyMissing as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILED) from error
    if erasure is None:
        typer.echo("Erased before: nothing to do.")
        return
    if any(files for kind, files in erasure.rewritten.items() if kind != SPREADSHEETS):
        rewritten = ", ".join(f"{place} {files}" for place, files in erasure.rewritten.items())
        typer.echo(f"Erased. Files rewritten: {rewritten}. The build was thrown away.")
    else:
        typer.echo(
            "The contact was found nowhere. Its keyed hash is recorded: rows of it that arrive later are erased."
        )
    if erasure.still_in_landing:
        typer.echo("Not Sendmart's to erase: these files of the landing zone still hold somebody who was erased:")
        for name in erasure.still_in_landing[:FILES_SHOWN]:
            typer.echo(f"  {sanitize(name)}")
        if len(erasure.still_in_landing) > FILES_SHOWN:
            typer.echo(f"  … and {len(erasure.still_in_landing) - FILES_SHOWN} more")
    if spark.published_build_holds_erased(context.paths):
        typer.echo("Readers of Spark see what was erased until the next build is published: refresh now.")
    typer.echo("Backups and copies elsewhere are yours to look after. Next: sendmart refresh")
