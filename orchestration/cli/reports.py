"""`sendmart reports`: serve the report pages."""

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from models.masking import masking_logger
from orchestration.cli.common import USAGE_ERROR, fail, open_context, show_progress
from orchestration.cli.refresh import refresh
from orchestration.cli.sample import sample
from orchestration.stages import AppContext, describe_export, export_reports
from warehouse.config.settings import LOOPBACK, Settings
from warehouse.export import FileFormat, RowSelection

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def application(context: AppContext) -> "ASGIApp":
    """The report pages of a data folder. Exports that are requested there are written by the export stage."""
    from reports.app import create_app

    def export_now(
        report: str, campaign: str | None, file_format: FileFormat, selection: RowSelection | None = None
    ) -> str:
        # A person who clicks does not wait for a refresh: the page says that one is running.
        with context.paths.writer_lock(timeout=0):
            # Phone numbers in a CSV file are masked when it is sent.
            is_masked = file_format is FileFormat.XLSX and not context.settings.reports_show_phone_numbers
            exports = export_reports(
                context, [report], all_campaigns=True, campaign=campaign, file_format=file_format,
                masks_phone_numbers=is_masked, selection=selection,
            )  # fmt: skip
        return "; ".join(map(describe_export, exports))

    return create_app(context.settings, context.paths, export_now)


def reports(
    refresh_first: Annotated[
        bool,
        typer.Option(help="If nothing has been published, refresh first, with sample logs if there are no others."),
    ] = False,
) -> None:
    """Serve the report pages. They follow the published build.

    The pages are for users of this machine. For others, put a web server with a login in front, or set a token:
    docs/reports.md.

    Exit code 0: stopped with Ctrl+C. 1: the address is not available. 2: a setting is invalid.
    """
    from reports.server import create_server, listen

    context = open_context()
    settings = context.settings
    host, port = settings.reports_host, settings.reports_port
    if host not in LOOPBACK and not settings.reports_behind_login and settings.reports_token is None:
        fail(
            f"SENDMART_REPORTS_HOST: {host} opens the pages to other machines. Set SENDMART_REPORTS_BEHIND_LOGIN=true if a"
            " web server with a login is in front, or SENDMART_REPORTS_TOKEN: docs/reports.md",
            USAGE_ERROR,
        )
    if refresh_first and not context.paths.published_marts.exists():
        with suppress(typer.Exit):  # the pages say what the refresh could not do
            sample(first_run=True)
            refresh()
    show_progress()
    masking_logger("uvicorn.error")  # tracebacks quote values
    try:
        listener = listen(host, port)
    except OSError as error:
        fail(f"Cannot listen on {host}, port {port}: {error.strerror}. Set another port: SENDMART_REPORTS_PORT")
    if not context.paths.published_marts.exists():
        typer.echo("No build has been published yet; the pages are empty until one is. Next: sendmart refresh")
    if host not in LOOPBACK:
        typer.echo(_exposure(settings))
    typer.echo(f"Reports: http://{f'[{host}]' if ':' in host else host}:{port} (stop with Ctrl+C)")
    with suppress(KeyboardInterrupt):
        create_server(application(context)).run(sockets=[listener])


def _exposure(settings: Settings) -> str:
    """What the server opens to other machines, and to whom."""
    numbers = "whole phone numbers" if settings.reports_show_phone_numbers else "masked phone numbers"
    readers = "everybody who has the token" if settings.reports_token else "everybody who reaches this address"
    return (
        f"WARNING: the pages listen on {settings.reports_host}, for other machines, too. They show every campaign, contact"
        f" ids and {numbers} to {readers}. There is no encryption: docs/reports.md"
    )
