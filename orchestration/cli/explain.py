"""`sendmart explain`: show why a figure is what it is."""

from typing import Annotated, Literal

import typer

from orchestration.cli.common import fail, open_context, utf_8


def explain(
    kind: Annotated[Literal["campaign", "message", "order", "contact"], typer.Argument(help="What the id belongs to.")],
    key: Annotated[
        str,
        typer.Argument(metavar="ID", help="The id, as in the logs. Write -- before an id with a dash.", callback=utf_8),
    ],
) -> None:
    """Show the rows and rules behind a figure: of a campaign, message, order or contact.

    docs/explaining.md describes the output.

    Exit code 0: explained. 1: the id is unknown. 2: an argument or a setting is invalid.
    """
    import duckdb

    from orchestration.cli.output.explanations import print_explanation
    from orchestration.errors import failure_of
    from orchestration.stages.build import is_built
    from warehouse.explain.explainer import Explainer
    from warehouse.explain.explanation import UnknownId
    from warehouse.transform.build import SumTooLarge

    context = open_context()
    with duckdb.connect() as connection:
        try:
            settings, paths, ledger = context.settings, context.paths, context.ledger
            explainer = Explainer(settings, paths, ledger, connection, lambda: is_built(context))
            explanation = explainer.explain(kind, key)
        except UnknownId as error:
            fail(str(error))
        except SumTooLarge as error:
            fail(str(failure_of(error, context)))
        print_explanation(explanation)
