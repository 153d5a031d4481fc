"""The command line `sendmart`: its commands put together.

Exit codes: 0 done, or nothing to do; 1 held back or failed, with the reason and the next step in the last lines; 2 a
setting or an argument makes no sense.

Not here: the commands themselves (`orchestration.cli`).
"""

import sqlite3
import sys

import duckdb
import typer

from models.masking import mask_error
from orchestration.cli import (
    accept,
    alert_test,
    dbt_docs,
    dev,
    diff,
    erase,
    explain,
    export,
    publish,
    quarantine,
    refresh,
    reports,
    rollback,
    sample,
    status,
)
from orchestration.cli.common import FAILED
from warehouse.storage import ObjectStoreFailed

app = typer.Typer(
    name="sendmart",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="The warehouse behind SMS/MMS campaign reports: loads daily logs, builds and audits the report marts, publishes"
    " them and exports CSV files. Settings come from SENDMART_… variables and .env; README.md lists them.",
)

for command in (
    refresh.refresh,
    sample.sample,
    status.status,
    accept.accept,
    publish.publish,
    rollback.rollback,
    diff.diff,
    explain.explain,
    export.export,
    erase.erase,
    reports.reports,
    alert_test.alert_test,
    dev.dev,
    dbt_docs.dbt_docs,
):
    app.command()(command)
app.add_typer(quarantine.app)


def main() -> None:
    """The program `sendmart`. What a person can mend ends in one line; anything else is a fault, and shows its trace."""
    try:
        app()
    except (OSError, sqlite3.Error, duckdb.Error, ObjectStoreFailed) as error:
        from orchestration.errors import failure_of
        from orchestration.stages import AppContext
        from warehouse.config.settings import load_settings

        typer.echo(f"sendmart: {failure_of(error, AppContext.of(load_settings()))}", err=True)
        sys.exit(FAILED)
    except Exception as error:
        mask_error(error)
        raise


if __name__ == "__main__":
    main()
