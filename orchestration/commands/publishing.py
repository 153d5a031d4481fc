"""`sendmart publish`, `sendmart rollback`, `sendmart diff`: which build is published, by a person's word."""

from typing import Annotated

import typer

from orchestration import telling_builds
from orchestration.commands.common import FAILED, OK, SENSELESS, open_warehouse, show_progress, writer_of
from orchestration.stages import Warehouse, is_published, prune_exports, roll_back, unexported
from orchestration.stages import decide as decide_on
from orchestration.stages import export as export_reports
from orchestration.stages import override as override_holds
from orchestration.stages import publish as publish_candidate
from orchestration.telling import console
from warehouse.publication import NotKept, kept_file, settle


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
        raise typer.Exit(SENSELESS)
    warehouse = open_warehouse()
    show_progress()
    with writer_of(warehouse):
        settle(warehouse.paths, warehouse.ledger)
        candidate = warehouse.ledger.candidate()
        if candidate is None or not warehouse.paths.candidate.exists():
            typer.echo("there is no whole build to publish. Next: sendmart refresh", err=True)
            raise typer.Exit(FAILED)
        if is_published(warehouse, candidate):
            console.print(f"Build {candidate.build_id} is published.")
            return
        verdict = decide_on(warehouse)
        if verdict.may_publish:
            console.print(f"Build {candidate.build_id} holds.")
        else:
            console.print(f"Build {candidate.build_id} is held back.")
            telling_builds.holds(verdict.holds)
        if dry_run:
            raise typer.Exit(OK if verdict.may_publish else FAILED)
        if not verdict.may_publish:
            if accept is None:
                console.print(
                    'Next: mend what is named above; or publish it all the same: sendmart publish --accept "…"'
                )
                raise typer.Exit(FAILED)
            override_holds(warehouse, candidate, accept.strip())
            console.print("All of it overridden, for this build alone.")
        publish_candidate(warehouse, candidate)
        _export(warehouse)
    console.print(f"Build {candidate.build_id} is published.")


def rollback(
    build_id: Annotated[
        str | None, typer.Argument(help="A build that is kept; by default the one published before.")
    ] = None,
) -> None:
    """Go back to a published build that is kept, and export what differs. The build gone back from is not published
    again by itself; a build of other logs, settings or models is.
    """
    warehouse = open_warehouse()
    show_progress()
    try:
        with writer_of(warehouse):
            left, to = roll_back(warehouse, build_id)
            _export(warehouse)
    except NotKept as error:
        typer.echo(f"{error}. Builds that are kept:", err=True)
        telling_builds.kept(warehouse)
        raise typer.Exit(FAILED) from error
    console.print(f"Build {to} is published again, in place of {left}.")
    console.print(
        f"To go forward again: mend what was wrong with {left}, then: sendmart refresh; or, if nothing was:"
        ' sendmart publish --accept "…". New logs make a new build, which is published if it holds.'
    )


def diff(
    earlier: Annotated[
        str, typer.Argument(metavar="[FROM]", help="A build that is kept, previous, current or candidate.")
    ] = "previous",
    later: Annotated[str, typer.Argument(metavar="[TO]", help="The same.")] = "current",
    every_campaign: Annotated[bool, typer.Option("--all", help="Every campaign that moved.")] = False,
    campaign: Annotated[str | None, typer.Option(metavar="ID", help="One campaign.")] = None,
) -> None:
    """Tell what changed between two builds: rows and columns by mart, figures by campaign. Without builds: what the last
    publication changed.
    """
    from warehouse.comparison import compare

    warehouse = open_warehouse()
    try:
        builds = [_named(warehouse, name) for name in (earlier, later)]
    except NotKept as error:
        typer.echo(f"{error}. Builds that are kept:", err=True)
        telling_builds.kept(warehouse)
        raise typer.Exit(SENSELESS) from error
    (from_id, from_file), (to_id, to_file) = builds
    if from_id == to_id:
        typer.echo(f"both are build {from_id}: nothing to compare", err=True)
        raise typer.Exit(SENSELESS)
    console.print(f"From build {from_id} to build {to_id}")
    campaigns = None if every_campaign or campaign else telling_builds.CAMPAIGNS_SHOWN
    found = compare(warehouse.settings, from_file, to_file, campaigns=campaigns, campaign_id=campaign)
    telling_builds.comparison(found)


def _named(warehouse: Warehouse, name: str):
    """The build id and the file that a name stands for."""
    paths, ledger = warehouse.paths, warehouse.ledger
    if name == "candidate":
        candidate = ledger.candidate()
        if candidate is None or not paths.candidate.exists():
            raise NotKept("there is no whole candidate")
        return candidate.build_id, paths.candidate
    if name in ("current", "previous"):
        published = [publication.build_id for publication in ledger.publications()]
        named = published[-1:] if name == "current" else [one for one in published if one != published[-1]][-1:]
        if not named:
            raise NotKept(f"there is no {name} build")
        name = named[0]
        if name == published[-1] and paths.published_marts.exists():
            return name, paths.published_marts
    return name, kept_file(paths, ledger, name)


def _export(warehouse: Warehouse) -> None:
    export_reports(warehouse, unexported(warehouse))
    prune_exports(warehouse)
