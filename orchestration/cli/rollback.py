"""`sendmart rollback`: publish a kept build again."""

from typing import Annotated

import typer

from orchestration.cli.common import FAILED, open_context, show_progress, writer_lock
from orchestration.cli.output import builds as builds_output
from orchestration.cli.output.console import console
from orchestration.stages import export_missing, rollback_build
from warehouse.publish.kept_builds import BuildNotFound


def rollback(
    build_id: Annotated[
        str | None, typer.Argument(help="The id of a kept build. Default: the build that was published before.")
    ] = None,
) -> None:
    """Publish a kept build again.

    Exports that differ are written again. The current build is withdrawn: no refresh publishes it again. A refresh publishes
    a new build when logs, settings or models change.

    Exit code 0: published. 1: there is no such build; the kept ones are listed. 2: a setting is invalid.
    """
    context = open_context()
    show_progress()
    try:
        with writer_lock(context):
            withdrawn, published = rollback_build(context, build_id)
            export_missing(context)
    except BuildNotFound as error:
        typer.echo(f"{error}. Kept builds:", err=True)
        builds_output.print_kept_builds(context)
        raise typer.Exit(FAILED) from error
    console.print(f"Build {published} is published again. Build {withdrawn} is withdrawn.")
    console.print(
        f"Next: fix the cause in {withdrawn}, then: sendmart refresh; or, if nothing was wrong with it: sendmart publish"
        ' --override "…". New logs make a new build, which is published unless it is held back.'
    )
