"""`sendmart dbt-docs`: dbt's docs site as one page."""

import typer

from orchestration.commands.common import FAILED, open_warehouse, show_progress, writer_of
from warehouse.dbt import BuildFailed
from warehouse.dbt_docs import write_dbt_docs


def dbt_docs() -> None:
    """Write dbt's docs site, lineage, columns and exposures, as one page that a browser opens."""
    warehouse = open_warehouse()
    show_progress()
    try:
        # dbt looks into the files that a refresh writes.
        with writer_of(warehouse):
            page = write_dbt_docs(warehouse.settings, warehouse.paths)
    except BuildFailed as error:
        typer.echo(f"sendmart: {error}", err=True)
        raise typer.Exit(FAILED) from error
    typer.echo(f"Open in a browser: {page}")
