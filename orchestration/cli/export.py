"""`sendmart export`: exports of the published marts, now."""

from typing import Annotated

import typer

from models.masking import sanitize
from orchestration.cli.common import FAILED, USAGE_ERROR, open_warehouse, utf_8, writer_lock
from orchestration.errors import failure_of
from orchestration.stages import export_reports, prune_exports
from warehouse.export import ON_REQUEST, REPORTS, ExportRefused, FileFormat, NothingPublished, Unchanged


def _an_id(campaign: str | None) -> str | None:
    return None if campaign is None else utf_8(campaign)


def export(
    reports: Annotated[
        list[str] | None, typer.Argument(help=f"Of {', '.join(ON_REQUEST)}; all but the last by default.")
    ] = None,
    all_campaigns: Annotated[
        bool, typer.Option(help="Every campaign, not only those that changed since the last export.")
    ] = False,
    campaign: Annotated[str | None, typer.Option(help="This campaign alone, by its id.", callback=_an_id)] = None,
    file_format: Annotated[
        FileFormat, typer.Option("--format", help="xlsx: a spreadsheet, with text as text and numbers as numbers.")
    ] = FileFormat.CSV,
) -> None:
    """Write exports of the published marts now, and prune old ones, as the scheduled exports do.

    The campaign table and the overview hold every campaign. Contact-level reports hold, whole, the campaigns that changed
    since the last export; the .json beside each says which. An export of one campaign, or a spreadsheet, is a copy apart:
    the next scheduled export is the same with it and without it.
    """
    context = open_warehouse()
    unknown = [report for report in reports or [] if report not in ON_REQUEST]
    if unknown:
        typer.echo(f"no such report: {', '.join(unknown)}; there are {', '.join(ON_REQUEST)}", err=True)
        raise typer.Exit(USAGE_ERROR)
    try:
        with writer_lock(context):
            told = export_reports(
                context,
                reports or REPORTS,
                all_campaigns=all_campaigns,
                campaign=campaign,
                file_format=file_format,
            )
            prune_exports(context)
    except NothingPublished as error:
        typer.echo(f"{error}. Next: sendmart refresh", err=True)
        raise typer.Exit(FAILED) from error
    except ExportRefused as error:
        failure = failure_of(error, context)
        typer.echo(sanitize(str(failure)), err=True)
        raise typer.Exit(FAILED) from error
    for one in told:
        path = context.paths.exports / one.report
        if isinstance(one, Unchanged):
            typer.echo(f"{path / one.since}: nothing has changed since. Every campaign: --all-campaigns")
        else:
            typer.echo(f"{path / one.file}: {one.rows} rows")
