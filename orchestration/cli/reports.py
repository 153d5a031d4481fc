"""`sendmart reports`: the reports as web pages."""

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from models.masking import masking_logger
from orchestration.cli.common import FAILED, open_warehouse, show_progress
from orchestration.stages import AppContext, describe, export_reports
from warehouse.export import FileFormat

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def application(context: AppContext) -> "ASGIApp":
    """The pages of a data folder; what is asked for there is exported by the stage that the schedule calls."""
    from reports.app import create_app

    def export_now(report: str, campaign: str | None, file_format: FileFormat) -> str:
        # Who clicked waits for no refresh: they are told, and ask again.
        with context.paths.writer_lock(timeout=0):
            told = export_reports(
                context,
                [report],
                all_campaigns=True,
                campaign=campaign,
                file_format=file_format,
                # The numbers in a CSV file are masked when it is sent.
                masks_phone_numbers=file_format is FileFormat.XLSX and not context.settings.reports_show_phone_numbers,
            )
        return "; ".join(map(describe, told))

    return create_app(context.settings, context.paths, export_now)


def reports() -> None:
    """Show the reports as web pages, to whoever sits at this machine.

    They follow what is published by themselves. Whoever else is to see them comes through a web server with a login in
    front: docs/reports.md.
    """
    import uvicorn

    context = open_warehouse()
    settings = context.settings
    host, port = settings.reports_host, settings.reports_port
    show_progress()
    masking_logger("uvicorn.error")  # a trace quotes what the engine stumbled over
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        told = f"Cannot listen at {host}, port {port}: {error.strerror}. Another port: SENDMART_REPORTS_PORT"
        typer.echo(told, err=True)
        raise typer.Exit(FAILED) from error
    if not context.paths.published_marts.exists():
        typer.echo("Nothing has been published yet; the pages say so until something is. Next: sendmart refresh")
    typer.echo(f"Reports: http://{f'[{host}]' if ':' in host else host}:{port} (Ctrl+C ends)")
    config = uvicorn.Config(
        application(context),
        log_level="warning",
        access_log=False,  # links hold what a person searched for
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])
