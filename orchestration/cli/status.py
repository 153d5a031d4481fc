"""`sendmart status` and `sendmart accept`: what there is, and what a person says of it."""

from orchestration.cli.common import open_warehouse
from orchestration.cli.output import console


def status() -> None:
    """The last refresh and the published build, what each log gave, what is missing, what failed."""
    console.status(open_warehouse())
