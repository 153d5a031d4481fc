"""`sendmart publish`, `sendmart rollback`, `sendmart diff`: which build is published, by a person's word."""

from typing import Annotated

import typer

from orchestration.cli.common import FAILED, OK, USAGE_ERROR, open_warehouse, show_progress, writer_lock
from orchestration.cli.output import builds as builds_output
from orchestration.cli.output.console import console
from orchestration.stages import (
    AppContext,
    evaluate_gate,
    export_reports,
    is_published,
    override_gate,
    prune_exports,
    publish_candidate,
    unexported,
)
from warehouse.publish.publication import settle


def publish(
    accept: Annotated[
        str | None,
        typer.Option(metavar="REASON", help="Publish it over all that holds it back, and why; it is recorded."),
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Only list what holds it back.")] = False,
) -> None:
    """Put the build at hand before the gate: publish and export it if it holds, else list what holds it back.

    --accept is for this one build: the next is judged anew. Exit code 0: published, or it was; 1: held back, or there is
    no whole build.
    """
    if accept is not None and not accept.strip():
        typer.echo("--accept must say why", err=True)
        raise typer.Exit(USAGE_ERROR)
    context = open_warehouse()
    show_progress()
    with writer_lock(context):
        settle(context.paths, context.ledger)
        candidate = context.ledger.candidate()
        if candidate is None or not context.paths.candidate.exists():
            typer.echo("there is no whole build to publish. Next: sendmart refresh", err=True)
            raise typer.Exit(FAILED)
        if is_published(context, candidate):
            console.print(f"Build {candidate.build_id} is published.")
            return
        gate_result = evaluate_gate(context)
        if gate_result.may_publish:
            console.print(f"Build {candidate.build_id} holds.")
        else:
            console.print(f"Build {candidate.build_id} is held back.")
            builds_output.blocking_problems(gate_result.blocking_problems)
        if dry_run:
            raise typer.Exit(OK if gate_result.may_publish else FAILED)
        if not gate_result.may_publish:
            if accept is None:
                console.print(
                    'Next: mend what is named above; or publish it all the same: sendmart publish --accept "…"'
                )
                raise typer.Exit(FAILED)
            override_gate(context, candidate, accept.strip())
            console.print("All of it overridden, for this build alone.")
        publish_candidate(context, candidate)
        _export(context)
    console.print(f"Build {candidate.build_id} is published.")


def _export(context: AppContext) -> None:
    export_reports(context, unexported(context))
    prune_exports(context)
