"""`sendmart diff`: what changed between two builds."""

from typing import Annotated

import typer

from orchestration.cli.common import USAGE_ERROR, open_warehouse
from orchestration.cli.output import builds as builds_output
from orchestration.cli.output.console import console
from orchestration.stages import AppContext
from warehouse.publish.kept_builds import BuildNotFound, kept_file


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
    from warehouse.publish.build_diff import compare

    context = open_warehouse()
    try:
        builds = [_named(context, name) for name in (earlier, later)]
    except BuildNotFound as error:
        typer.echo(f"{error}. Builds that are kept:", err=True)
        builds_output.kept(context)
        raise typer.Exit(USAGE_ERROR) from error
    (from_id, from_file), (to_id, to_file) = builds
    if from_id == to_id:
        typer.echo(f"both are build {from_id}: nothing to compare", err=True)
        raise typer.Exit(USAGE_ERROR)
    console.print(f"From build {from_id} to build {to_id}")
    campaigns = None if every_campaign or campaign else builds_output.CAMPAIGNS_SHOWN
    found = compare(context.settings, from_file, to_file, campaigns=campaigns, campaign_id=campaign)
    builds_output.comparison(found)


def _named(context: AppContext, name: str):
    """The build id and the file that a name stands for."""
    paths, ledger = context.paths, context.ledger
    if name == "candidate":
        candidate = ledger.candidate()
        if candidate is None or not paths.candidate.exists():
            raise BuildNotFound("there is no whole candidate")
        return candidate.build_id, paths.candidate
    if name in ("current", "previous"):
        published = [publication.build_id for publication in ledger.publications()]
        named = published[-1:] if name == "current" else [one for one in published if one != published[-1]][-1:]
        if not named:
            raise BuildNotFound(f"there is no {name} build")
        name = named[0]
        if name == published[-1] and paths.published_marts.exists():
            return name, paths.published_marts
    return name, kept_file(paths, ledger, name)
