"""`sendmart export`: CSV exports of the published marts, now."""

from typing import Annotated

import typer

from orchestration.commands.common import FAILED, SENSELESS, open_warehouse, writer_of
from orchestration.stages import export as export_reports
from orchestration.stages import prune_exports
from warehouse.exports import REPORTS, NothingPublished, Unchanged


def export(
    reports: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(REPORTS)}; all by default.")] = None,
    all_campaigns: Annotated[
        bool, typer.Option(help="Every campaign, not only those that changed since the last export.")
    ] = False,
) -> None:
    """Write CSV exports of the published marts now, and prune old ones, as the scheduled exports do.

    The campaign table and the overview hold every campaign. Contact-level reports hold, whole, the campaigns that changed
    since the last export; the .json beside each says which.
    """
    warehouse = open_warehouse()
    unknown = [report for report in reports or [] if report not in REPORTS]
    if unknown:
        typer.echo(f"no such report: {', '.join(unknown)}; there are {', '.join(REPORTS)}", err=True)
        raise typer.Exit(SENSELESS)
    try:
        with writer_of(warehouse):
            told = export_reports(warehouse, reports or REPORTS, all_campaigns=all_campaigns)
            prune_exports(warehouse)
    except NothingPublished as error:
        typer.echo(f"{error}. Next: sendmart refresh", err=True)
        raise typer.Exit(FAILED) from error
    for one in told:
        place = warehouse.paths.exports / one.report
        if isinstance(one, Unchanged):
            typer.echo(f"{place / one.since}: nothing has changed since. Every campaign: --all-campaigns")
        else:
            typer.echo(f"{place / one.file}: {one.rows} rows")
