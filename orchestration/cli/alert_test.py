"""`sendmart alert-test`: whether alerts arrive."""

import typer

from orchestration.cli.common import FAILED, USAGE_ERROR, open_warehouse


def alert_test() -> None:
    """Send a test alert to every receiver in SENDMART_ALERTS. Exit code 0: all took it; 1: not all; 2: there is none."""
    from orchestration.notifications import send_test

    settings = open_warehouse().settings
    if settings.alerts is None:
        typer.echo("SENDMART_ALERTS is not set: nobody would be told. docs/alerts.md says how to set it", err=True)
        raise typer.Exit(USAGE_ERROR)
    count, refusing = send_test(settings)
    for receiver in refusing:
        typer.echo(f"{receiver}: could not be reached, or did not take it", err=True)
    typer.echo(f"A test alert was taken by {count - len(refusing)} of {count} receivers")
    if refusing:
        raise typer.Exit(FAILED)
