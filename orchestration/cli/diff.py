"""`sendmart diff`: compare two builds."""

from pathlib import Path
from typing import Annotated

import duckdb
import typer

from orchestration.cli.common import USAGE_ERROR, fail, open_context
from orchestration.cli.output import builds as builds_output
from orchestration.cli.output.console import console
from orchestration.stages import AppContext
from warehouse.config.paths import DataPaths
from warehouse.publish.build_diff import compare
from warehouse.publish.kept_builds import BuildNotFound, KeptBuilds
from warehouse.publish.published_file import read_build_info


def diff(
    earlier: Annotated[
        str | None, typer.Argument(metavar="[FROM]", help="A kept build's id, or previous, current or candidate.")
    ] = None,
    later: Annotated[str | None, typer.Argument(metavar="[TO]", help="Likewise.")] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Compare from the published build of another data folder, such as production's. Then only TO is named.",
        ),
    ] = None,
    every_campaign: Annotated[bool, typer.Option("--all", help="Show every campaign with changed figures.")] = False,
    campaign: Annotated[str | None, typer.Option(metavar="ID", help="Show this campaign only.")] = None,
) -> None:
    """Compare two builds. Show the changes of rows and columns by mart, and of figures by campaign.

    By default, what the last publication changed.

    Exit code 0: compared. 2: there is no such build, or both are the same, or a setting is invalid.
    """
    context = open_context()
    if against is not None and later is not None:
        fail("With --against, name one build at most: the one of this data folder", USAGE_ERROR)
    try:
        if against is not None:
            from_id, from_file = _published_in(against)
            to_id, to_file = _find_build(context, earlier or "current")
        else:
            from_id, from_file = _find_build(context, earlier or "previous")
            to_id, to_file = _find_build(context, later or "current")
    except BuildNotFound as error:
        typer.echo(f"{error}. Kept builds:", err=True)
        builds_output.print_kept_builds(context)
        raise typer.Exit(USAGE_ERROR) from error
    if from_id == to_id:
        fail(f"Both are build {from_id}: nothing to compare", USAGE_ERROR)
    console.print(f"From build {from_id} to build {to_id}")
    campaigns = None if every_campaign or campaign else builds_output.MAX_CAMPAIGNS
    build_diff = compare(
        context.settings,
        from_file,
        to_file,
        candidate_settings=context.settings.recorded_figure_settings(),
        campaigns=campaigns,
        campaign_id=campaign,
    )
    builds_output.print_diff(build_diff)


def _published_in(data: Path) -> tuple[str, Path]:
    """The id and the file of the published build of a data folder. The program ends if there is none."""
    file = DataPaths(data).published_marts
    try:
        return read_build_info(file).build_id, file
    except (duckdb.Error, OSError):
        fail(f"{file} is no published build: give the folder that SENDMART_DATA names there", USAGE_ERROR)


def _find_build(context: AppContext, name: str) -> tuple[str, Path]:
    """The id and the file of a build, by its id or by a word such as `current`. Raises BuildNotFound."""
    paths, ledger = context.paths, context.ledger
    if name == "candidate":
        candidate = ledger.candidate()
        if candidate is None or not paths.candidate.exists():
            raise BuildNotFound("there is no complete candidate")
        return candidate.build_id, paths.candidate
    if name in ("current", "previous"):
        published = [publication.build_id for publication in ledger.publications()]
        current = published[-1] if published else None
        earlier = [build_id for build_id in published if build_id != current]
        previous = earlier[-1] if earlier else None
        build_id = current if name == "current" else previous
        if build_id is None:
            raise BuildNotFound(f"there is no {name} build")
        if name == "current" and paths.published_marts.exists():
            return build_id, paths.published_marts
        name = build_id
    return name, KeptBuilds(paths.kept_builds, ledger).find(name)
