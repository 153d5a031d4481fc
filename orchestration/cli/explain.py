"""`sendmart explain`: why a figure is what it is."""

from enum import StrEnum
from typing import Annotated

import typer

from orchestration.cli.common import FAILED, open_warehouse, utf_8


class Kind(StrEnum):
    """What can be explained."""

    CAMPAIGN = "campaign"
    MESSAGE = "message"
    ORDER = "order"
    CONTACT = "contact"


def explain(
    kind: Annotated[Kind, typer.Argument(help="What it is the id of.")],
    key: Annotated[
        str,
        typer.Argument(metavar="ID", help="The id, as in the logs; after -- if it begins with a dash.", callback=utf_8),
    ],
) -> None:
    """Show the rows, files and rules that made the figures of a campaign, message, order or contact."""
    import duckdb

    from orchestration.cli.output import explanations
    from warehouse.explain import Explainer, UnknownId

    context = open_warehouse()
    with duckdb.connect() as connection:
        try:
            explainer = Explainer(context.settings, context.paths, context.ledger, connection)
            told = explainer.explain(kind.value, key)
        except UnknownId as error:
            typer.echo(f"{error}", err=True)
            raise typer.Exit(FAILED) from error
        explanations.explanation(told)
