"""`sendmart dbt-docs`: write dbt's docs site as one page."""

import typer

from orchestration.cli.common import fail, open_context, show_progress, writer_lock
from warehouse.transform.dbt_docs import write_dbt_docs
from warehouse.transform.dbt_runner import BuildFailed


def dbt_docs() -> None:
    """Write dbt's docs site as one page. It shows lineage, columns and exposures.

    Exit code 0: written. 1: dbt failed. 2: a setting is invalid.
    """
    context = open_context()
    show_progress()
    try:
        # dbt reads files that a refresh writes.
        with writer_lock(context):
            page = write_dbt_docs(context.settings, context.paths)
    except BuildFailed as error:
        fail(f"sendmart: {error}")
    typer.echo(f"Open in a browser: {page}")
