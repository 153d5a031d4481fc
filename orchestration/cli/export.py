"""`sendmart export`: export reports of the published build."""

from typing import Annotated

import typer

from orchestration.cli.common import USAGE_ERROR, fail, open_context, utf_8, writer_lock
from orchestration.errors import failure_of
from orchestration.stages import export_reports, prune_exports
from warehouse.export import ON_REQUEST, REPORTS, ExportRefused, FileFormat, NothingPublished, Unchanged


def export(
    reports: Annotated[
        list[str] | None,
        typer.Argument(
            help=f"Any of {', '.join(ON_REQUEST)}. Default: the scheduled ones, {REPORTS[0]} to {REPORTS[-1]}."
        ),
    ] = None,
    all_campaigns: Annotated[
        bool, typer.Option(help="Export every campaign, not only those that changed since the last export.")
    ] = False,
    campaign: Annotated[str | None, typer.Option(help="Export this campaign only, by its id.", callback=utf_8)] = None,
    file_format: Annotated[
        FileFormat, typer.Option("--format", help="xlsx: a spreadsheet, with text as text and numbers as numbers.")
    ] = FileFormat.CSV,
) -> None:
    """Export reports of the published build. Prune old exports.

    campaign_metrics and campaign_overview hold every campaign. Contact-level reports hold the campaigns that changed
    since the last export, each in full; the .json file beside an export lists them. The next scheduled export does not
    depend on exports of one campaign or on spreadsheets. docs/exports.md describes the files.

    Exit code 0: exported, or unchanged. 1: nothing is published, or the export cannot be made. 2: an argument or a setting
    is invalid.
    """
    context = open_context()
    unknown = [report for report in reports or [] if report not in ON_REQUEST]
    if unknown:
        fail(f"No such report: {', '.join(unknown)}. Reports: {', '.join(ON_REQUEST)}", USAGE_ERROR)
    try:
        with writer_lock(context):
            exports = export_reports(
                context, reports or REPORTS, all_campaigns=all_campaigns, campaign=campaign, file_format=file_format
            )
            prune_exports(context)
    except NothingPublished as error:
        fail(f"{error}. Next: sendmart refresh")
    except ExportRefused as error:
        fail(str(failure_of(error, context)))
    for export in exports:
        folder = context.paths.exports / export.report
        if isinstance(export, Unchanged):
            typer.echo(f"{folder / export.since}: nothing has changed since. To export every campaign: --all-campaigns")
        else:
            typer.echo(f"{folder / export.file}: {export.rows} rows")
