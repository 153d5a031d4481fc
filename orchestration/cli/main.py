"""The program `sendmart`: its commands put together.

Exit codes: 0 done, or nothing to do; 1 held back or failed, the last lines say why and what to do; 2 a setting or an
argument is invalid.

Not here: the commands themselves (`orchestration.cli`).
"""

import gc
import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

COLLECT_AFTER = 100_000
"""New objects until the garbage collector runs; they take less than 100 MB."""

COMMANDS = {
    "refresh": "Load new and changed logs, build, audit, publish, export.",
    "status": "Show the state of the warehouse.",
    "accept": "Waive the problems in this version of the file.",
    "publish": "Run the release gate on the current candidate.",
    "rollback": "Publish a kept build again.",
    "diff": "Compare two builds.",
    "what-if": "Show the figures that other conversion windows, and another suppression after hard bounces, would give.",
    "replay": "Write the marts to a file, as a refresh would have published them from the log files up to a log date.",
    "explain": "Show the rows and rules behind a figure: of a campaign, message, order or contact.",
    "export": "Export reports of the published build.",
    "erase": "Erase a contact.",
    "reports": "Serve the report pages.",
    "report-mail": "Send the reports that are due by e-mail, each once.",
    "alert-test": "Send a test alert to every receiver.",
    "dev": "Open Dagster's UI.",
    "dbt-docs": "Write dbt's docs site as one page.",
    "sample": "Write realistic sample logs.",
    "check": "Check a file against the contract of a log, before it is dropped.",
    "quarantine": "List rejected rows, and export them for repair.",
    "sources": "Mappings of other systems' exports to the logs.",
}
"""The commands in the order of `sendmart --help`, and the first sentence of the help text of each. The module of this name
holds the command: a function of the same name, or `app` with commands of its own.
"""


def load_command(name: str) -> TyperCommand | TyperGroup:
    """Imports a command."""
    module_name = name.replace("-", "_")
    module = import_module(f"orchestration.cli.{module_name}")
    commands = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    if hasattr(module, "app"):
        commands.add_typer(module.app)
    else:
        commands.command()(getattr(module, module_name))
    command = get_group(commands).commands[name]
    assert isinstance(command, (TyperCommand, TyperGroup))
    return command


class _Commands(TyperGroup):
    """Lists the commands by name and purpose, and imports the one that is run: the imports of all take most of a second."""

    def __init__(self, **attributes: Any) -> None:
        listed = {name: TyperCommand(name, help=purpose) for name, purpose in COMMANDS.items()}
        super().__init__(**{**attributes, "commands": listed})

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, listed, arguments = super().resolve_command(ctx, args)
        return name, load_command(name) if name in COMMANDS else listed, arguments


app = typer.Typer(
    name="sendmart",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def _sendmart() -> None:
    """Warehouse for SMS/MMS campaign reports: load daily logs, build and audit the report marts, publish and export them.
    Settings are SENDMART_… variables of the environment or of .env: docs/settings.md.
    """


def main() -> None:
    """Runs a command. An error that an operator can fix is printed in one line; any other one with its traceback."""
    # Dagster and dbt keep hundreds of thousands of objects, and Python looks through them after each 700 new ones.
    gc.set_threshold(max(COLLECT_AFTER, gc.get_threshold()[0]))
    try:
        app()
    except Exception as error:
        _print_if_expected(error)
        raise
    finally:
        # To look for garbage at exit takes a tenth of the program's time.
        gc.freeze()


def _print_if_expected(error: Exception) -> None:
    """Prints an error that an operator can fix, and ends the program; masks another one."""
    import sqlite3

    import duckdb

    from models.masking import mask_error
    from orchestration.cli.common import FAILED
    from orchestration.errors import failure_of
    from orchestration.stages import AppContext
    from warehouse.config.settings import load_settings
    from warehouse.storage import ObjectStoreFailed

    if isinstance(error, (OSError, sqlite3.Error, duckdb.Error, ObjectStoreFailed)):
        typer.echo(f"sendmart: {failure_of(error, AppContext.of(load_settings()))}", err=True)
        sys.exit(FAILED)
    mask_error(error)


if __name__ == "__main__":
    main()
