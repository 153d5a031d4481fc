"""`sendmart reports`: the reports as web pages."""

import typer

from orchestration.commands.common import FAILED, open_warehouse, show_progress
from orchestration.stages import export, in_words


def reports() -> None:
    """Show the reports as web pages, to whoever sits at this machine.

    They follow what is published by themselves. Whoever else is to see them comes through a web server with a login in
    front: docs/reports.md.
    """
    import uvicorn

    from reports.app import create_app

    warehouse = open_warehouse()
    settings = warehouse.settings

    def write_export(report: str) -> str:
        with warehouse.paths.writer(timeout=0):
            return "; ".join(in_words(told) for told in export(warehouse, [report], all_campaigns=True))

    show_progress()
    if not warehouse.paths.published_marts.exists():
        typer.echo("Nothing has been published yet: the pages say so until the first refresh. Next: sendmart refresh")
    config = uvicorn.Config(
        create_app(settings, write_export),
        host=settings.reports_host,
        port=settings.reports_port,
        log_level="warning",
        access_log=False,  # links hold what a person searched for
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )
    typer.echo(f"Reports: http://{settings.reports_host}:{settings.reports_port}  (Ctrl+C ends)")
    uvicorn.Server(config).run()
    _ = FAILED
