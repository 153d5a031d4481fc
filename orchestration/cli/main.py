"""The program `sendmart`: its commands put together.

Exit codes: 0 done, or nothing to do; 1 held back or failed, the last lines say why and what to do; 2 a setting or an
argument is invalid.

Not here: the commands themselves (`orchestration.cli`).
"""

import gc
import sqlite3
import sys

import duckdb
import typer

from models.masking import mask_error
from orchestration.cli import quarantine, sources
from orchestration.cli.accept import accept
from orchestration.cli.alert_test import alert_test
from orchestration.cli.check import check
from orchestration.cli.common import FAILED
from orchestration.cli.dbt_docs import dbt_docs
from orchestration.cli.dev import dev
from orchestration.cli.diff import diff
from orchestration.cli.erase import erase
from orchestration.cli.explain import explain
from orchestration.cli.export import export
from orchestration.cli.publish import publish
from orchestration.cli.refresh import refresh
from orchestration.cli.replay import replay
from orchestration.cli.report_mail import report_mail
from orchestration.cli.reports import reports
from orchestration.cli.rollback import rollback
from orchestration.cli.sample import sample
from orchestration.cli.status import status
from orchestration.cli.what_if import what_if
from warehouse.storage import ObjectStoreFailed

COLLECT_AFTER = 100_000
"""New objects until the garbage collector runs; they take less than 100 MB."""

app = typer.Typer(
    name="sendmart",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Warehouse for SMS/MMS campaign reports: load daily logs, build and audit the report marts, publish and export"
    " them. Settings are SENDMART_… variables of the environment or of .env: docs/settings.md.",
)

for command in (
    refresh, status, accept, publish, rollback, diff, what_if, replay, explain, export, erase, reports, report_mail, alert_test,
    dev, dbt_docs, sample, check,
):  # fmt: skip
    app.command()(command)
app.add_typer(quarantine.app)
app.add_typer(sources.app)


def main() -> None:
    """Runs a command. An error that an operator can fix is printed in one line; any other one with its traceback."""
    # What the imports created is never garbage. To look through it again, also at exit, takes a tenth of the program's time.
    gc.freeze()
    # Dagster and dbt keep hundreds of thousands of objects, and Python looks through them after each 700 new ones.
    gc.set_threshold(max(COLLECT_AFTER, gc.get_threshold()[0]))
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
