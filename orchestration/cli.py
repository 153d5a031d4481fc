"""The command line `sendmart`: its commands put together.

Exit codes: 0 done, or nothing to do; 1 held back or failed, with the reason and the next step in the last lines; 2 a
setting or an argument makes no sense.

Not here: the commands themselves (`orchestration.commands`).
"""

import sqlite3
import sys

import duckdb
import typer

from orchestration.commands import developing, explaining, exporting, judging, quarantine, refreshing, sampling
from orchestration.commands.common import FAILED

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
    explaining.explain,
    exporting.export,
    developing.dev,
):
    app.command()(command)
app.add_typer(quarantine.app)


def main() -> None:
    """The program `sendmart`. What a person can mend ends in one line; anything else is a fault, and shows its trace."""
    try:
        app()
    except (OSError, sqlite3.Error, duckdb.Error) as error:
        typer.echo(f"sendmart: {error}", err=True)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
