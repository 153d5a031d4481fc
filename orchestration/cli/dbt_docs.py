"""`sendmart dbt-docs`: dbt's docs site as one page."""

import typer

from orchestration.cli.common import FAILED, open_warehouse, show_progress, writer_lock
from warehouse.transform.dbt_docs import write_dbt_docs
from warehouse.transform.dbt_runner import BuildFailed


def dbt_docs() -> None:
    """Write dbt's docs site, lineage, columns and exposures, as one page that a browser opens."""
    context = open_warehouse()
    show_progress()
    try:
        # dbt looks into the files that a refresh writes.
        with writer_lock(context):
            page = write_dbt_docs(context.settings, context.paths)
    except BuildFailed as error:
        typer.echo(f"sendmart: {error}", err=True)
        raise typer.Exit(FAILED) from error
    typer.echo(f"Open in a browser: {page}")
