"""`sendmart reports`: the reports as web pages."""

from typing import TYPE_CHECKING

import typer

from orchestration.commands.common import open_warehouse, show_progress
from orchestration.stages import Warehouse, export, in_words

if TYPE_CHECKING:
    from starlette.applications import Starlette


def application(warehouse: Warehouse) -> "Starlette":
    """The pages of a data folder; what is asked for there is exported by the stage that the schedule calls."""
    from reports.app import create_app

    def export_all_of(report: str) -> str:
        # Who clicked waits for no refresh: they are told, and ask again.
        with warehouse.paths.writer(timeout=0):
            return "; ".join(in_words(told) for told in export(warehouse, [report], all_campaigns=True))

    return create_app(warehouse.settings, export_all_of)


def reports() -> None:
    """Show the reports as web pages, to whoever sits at this machine.

    They follow what is published by themselves. Whoever else is to see them comes through a web server with a login in
    front: docs/reports.md.
    """
    import uvicorn

    warehouse = open_warehouse()
    settings = warehouse.settings
    show_progress()
    if not warehouse.paths.published_marts.exists():
        typer.echo("Nothing has been published yet; the pages say so until something is. Next: sendmart refresh")
    typer.echo(f"Reports: http://{settings.reports_host}:{settings.reports_port} (Ctrl+C ends)")
    uvicorn.run(
        application(warehouse),
        host=settings.reports_host,
        port=settings.reports_port,
        log_level="warning",
        access_log=False,  # links hold what a person searched for
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )
