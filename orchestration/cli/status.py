"""`sendmart status`: show the state of the warehouse."""

from typing import Annotated

import typer

from orchestration.cli.common import open_context
from orchestration.cli.output.status import print_status


def status(
    days: Annotated[int, typer.Option(min=0, help="Number of log dates to list, the latest first.")] = 7,
) -> None:
    """Show the state of the warehouse. It lists the last refresh, the published build, logs, quarantine and checks.

    Exit code 0: shown, whatever the state. 2: a setting is invalid.
    """
    print_status(open_context(), days)
