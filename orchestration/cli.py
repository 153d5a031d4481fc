"""The command line `sendmart`: its commands put together.

Exit codes: 0 done, or nothing to do; 1 held back or failed, with the reason and the next step in the last lines; 2 a
setting or an argument makes no sense.

Not here: the commands themselves (`orchestration.commands`).
"""

import sqlite3
import sys

import duckdb
import typer

from models.masking import mask_error
from orchestration.commands import (
    alerting,
    developing,
    documenting,
    erasing,
    explaining,
    exporting,
    judging,
    publishing,
    quarantine,
    refreshing,
    reporting,
    sampling,
)
from orchestration.commands.common import FAILED
from warehouse.object_store import ObjectStoreFailed

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
    refreshing.refresh,
    sampling.sample,
    judging.status,
    judging.accept,
    publishing.publish,
    publishing.rollback,
    publishing.diff,
    explaining.explain,
    exporting.export,
    erasing.erase,
    reporting.reports,
    alerting.alert_test,
    developing.dev,
    documenting.dbt_docs,
):
    app.command()(command)
app.add_typer(quarantine.app)


def main() -> None:
    """The program `sendmart`. What a person can mend ends in one line; anything else is a fault, and shows its trace."""
    try:
        app()
    except (OSError, sqlite3.Error, duckdb.Error, ObjectStoreFailed) as error:
        from orchestration.failures import failure_of
        from orchestration.stages import Warehouse
        from warehouse.settings import load_settings

        typer.echo(f"sendmart: {failure_of(error, Warehouse.of(load_settings()))}", err=True)
        sys.exit(FAILED)
    except Exception as error:
        mask_error(error)
        raise


if __name__ == "__main__":
    main()
