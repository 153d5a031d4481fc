"""`sendmart erase`: replace a contact and its phone numbers by random tokens."""

import sys
from typing import Annotated

import typer

from models.text_types import ASCII_WHITE_SPACE, MAX_ID_CHARACTERS
from orchestration import stages
from orchestration.cli.common import USAGE_ERROR, fail, open_context, utf_8, writer_lock
from orchestration.cli.output.console import console, print_lines
from warehouse.erasure import SPREADSHEETS
from warehouse.privacy import KeyMissing
from warehouse.transform.spark.builds import published_build_holds_erased

MAX_FILES = 20


def erase(
    contact: Annotated[str, typer.Option(help="The contact's id. - reads it from standard input.", callback=utf_8)],
    reason: Annotated[str, typer.Option(help="Why, such as the number of a request. The reason is recorded.")] = "",
) -> None:
    """Erase a contact. Replace its id and its phone numbers by random tokens, and remove its free text.

    Files of the lake, the quarantine, published builds and exports are rewritten. Rows of the contact that arrive later are
    erased, too. docs/privacy.md lists what Sendmart cannot erase. An erasure cannot be undone.

    Figures do not change, with two exceptions. The contact's messages have no country in delivery_routes and
    delivery_incidents. The contact's clicks have no link and no user agent, so that a click with the rule sweep or
    user_agent counts as a person's, unless it is too_fast as well.

    Exit code 0: erased, or erased before. 1: the key of the keyed hashes is missing. 2: the id or a setting is invalid.
    """
    context = open_context()
    contact_id = (sys.stdin.readline() if contact == "-" else contact).strip(ASCII_WHITE_SPACE)
    if not 1 <= len(contact_id) <= MAX_ID_CHARACTERS:
        fail(f"--contact must have 1 to {MAX_ID_CHARACTERS} characters", USAGE_ERROR)
    try:
        with writer_lock(context):
            erasure = stages.erase_contact(context, contact_id, reason.strip())
    except KeyMissing as error:
        fail(str(error))
    if erasure is None:
        console.print("This contact was erased before: nothing to do.")
        return
    if any(files for kind, files in erasure.rewritten.items() if kind != SPREADSHEETS):
        rewritten = ", ".join(f"{kind} {files}" for kind, files in erasure.rewritten.items())
        console.print(f"Erased. Files rewritten: {rewritten}. The candidate was deleted.")
    else:
        console.print("The contact is in no file. A keyed hash of its id is kept: rows that arrive later are erased.")
    if erasure.still_in_landing:
        console.print("Sendmart does not change the landing zone. These files still hold erased contacts:")
        print_lines(erasure.still_in_landing, MAX_FILES)
    if published_build_holds_erased(context.paths):
        console.print("Spark still shows the erased rows. The next published build removes them: refresh now.")
    console.print("Erase the contact from backups and other copies yourself. Next: sendmart refresh")
