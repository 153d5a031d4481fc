"""`sendmart status`: show the state of the warehouse."""

import re
from datetime import timedelta
from typing import Annotated

import typer

from orchestration.cli.common import FAILED, fail, open_context
from orchestration.cli.output.state import warehouse_state
from orchestration.cli.output.status import print_status
from warehouse.ledger import now

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def _age(text: str) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,5})([mhd])", text)
    if not match:
        raise typer.BadParameter("must be a whole number of minutes, hours or days, such as 90m, 26h or 2d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def status(
    days: Annotated[int, typer.Option(min=0, help="Number of log dates to list, the latest first.")] = 7,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON for programs: docs/schemas/status.schema.json")
    ] = False,
    fail_if_older: Annotated[
        timedelta | None,
        typer.Option(
            parser=_age,
            metavar="AGE",
            help="End with exit code 1 if no refresh has succeeded for so long, such as 90m, 26h or 2d.",
        ),
    ] = None,
) -> None:
    """Show the state of the warehouse. It lists the last refresh, the published build, logs, quarantine and checks.

    Exit code 0: shown, whatever the state. 1: with --fail-if-older, the last success is older. 2: a setting or an option is
    invalid.
    """
    context = open_context()
    if json:
        typer.echo(warehouse_state(context).model_dump_json(indent=2))
    else:
        print_status(context, days)
    if fail_if_older is None:
        return
    success = context.ledger.last_good_refresh()
    if success is None:
        fail("No refresh has succeeded yet.", FAILED)
    if now() - success.finished_at > fail_if_older:
        fail(f"No refresh has succeeded since {success.finished_at:%Y-%m-%d %H:%M} UTC. Next: sendmart refresh", FAILED)
