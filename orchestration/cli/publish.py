"""`sendmart publish`: publish the current candidate, or override the release gate.

Not here: when a build is held back (`quality.gate`).
"""

from typing import Annotated

import typer

from orchestration.cli.common import FAILED, OK, USAGE_ERROR, fail, open_context, show_progress, writer_lock
from orchestration.cli.output.console import console
from orchestration.stages import evaluate_gate, export_missing, is_published, override_gate, publish_candidate
from warehouse.publish.publication import recover_publication


def publish(
    override: Annotated[
        str | None,
        typer.Option(
            metavar="REASON",
            help="Publish this build although it is held back. The reason is recorded. The next build is checked as usual.",
        ),
    ] = None,
    accept: Annotated[str | None, typer.Option(hidden=True)] = None,
    dry_run: Annotated[bool, typer.Option(help="List what holds the build back, and change nothing.")] = False,
) -> None:
    """Run the release gate on the current candidate. Publish and export it unless it is held back.

    docs/publishing.md describes the release gate.

    Exit code 0: the candidate is published. 1: it is held back, or there is no complete candidate. 2: an option or a
    setting is invalid. With --dry-run, 0: the candidate can be published.
    """
    if accept is not None:
        typer.echo("--accept is now --override. Release 0.4.0 will not read the old name.", err=True)
        if override is not None:
            fail("--accept and --override are both given: remove --accept", USAGE_ERROR)
        override = accept
    if override is not None and not override.strip():
        fail("--override must not be empty: it is the reason", USAGE_ERROR)
    context = open_context()
    show_progress()
    with writer_lock(context):
        recover_publication(context.paths, context.ledger)
        candidate = context.ledger.candidate()
        if candidate is None or not context.paths.candidate.exists():
            fail("There is no complete candidate to publish. Next: sendmart refresh")
        if is_published(context, candidate):
            console.print(f"Build {candidate.build_id} is published already.")
            return
        gate_result = evaluate_gate(context)
        if gate_result.may_publish:
            console.print(f"Nothing holds build {candidate.build_id} back.")
        else:
            console.print(f"Build {candidate.build_id} is held back:")
            for problem in gate_result.blocking_problems:
                console.print(f"  {problem}")
        if dry_run:
            raise typer.Exit(OK if gate_result.may_publish else FAILED)
        if not gate_result.may_publish:
            if override is None:
                console.print(
                    "Next: fix the problems above, then: sendmart refresh; or publish this build anyway:"
                    ' sendmart publish --override "…"'
                )
                raise typer.Exit(FAILED)
            override_gate(context, candidate, override.strip())
            console.print("All of these problems are overridden, for this build only.")
        publish_candidate(context, candidate)
        export_missing(context)
    console.print(f"Build {candidate.build_id} is published.")
