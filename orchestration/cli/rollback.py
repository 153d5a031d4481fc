"""`sendmart rollback`: an earlier published build is published again."""

from typing import Annotated

import typer

from orchestration.cli.common import FAILED, open_warehouse, show_progress, writer_lock
from orchestration.cli.output import builds as builds_output
from orchestration.cli.output.console import console
from orchestration.stages import export_missing, rollback_build
from warehouse.publish.kept_builds import BuildNotFound


def rollback(
    build_id: Annotated[
        str | None, typer.Argument(help="A build that is kept; by default the one published before.")
    ] = None,
) -> None:
    """Go back to a published build that is kept, and export what differs. The build gone back from is not published
    again by itself; a build of other logs, settings or models is.
    """
    context = open_warehouse()
    show_progress()
    try:
        with writer_lock(context):
            left, to = rollback_build(context, build_id)
            export_missing(context)
    except BuildNotFound as error:
        typer.echo(f"{error}. Builds that are kept:", err=True)
        builds_output.kept(context)
        raise typer.Exit(FAILED) from error
    console.print(f"Build {to} is published again, in place of {left}.")
    console.print(
        f"To go forward again: mend what was wrong with {left}, then: sendmart refresh; or, if nothing was:"
        ' sendmart publish --override "…". New logs make a new build, which is published if it holds.'
    )
