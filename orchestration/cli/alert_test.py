"""`sendmart alert-test`: send a test alert."""

import typer

from orchestration.cli.common import FAILED, USAGE_ERROR, fail, open_context


def alert_test() -> None:
    """Send a test alert to every receiver. Receivers are in SENDMART_ALERTS.

    Exit code 0: every receiver accepted it. 1: at least one did not. 2: SENDMART_ALERTS is empty, or a setting is invalid.
    """
    from orchestration.notifications import send_test

    settings = open_context().settings
    if settings.alerts is None:
        fail("SENDMART_ALERTS is not set: alerts have no receiver. See docs/alerts.md", USAGE_ERROR)
    count, failed = send_test(settings)
    for receiver in failed:
        typer.echo(f"{receiver}: cannot be reached, or did not accept the alert. Check SENDMART_ALERTS", err=True)
    typer.echo(f"{count - len(failed)} of {count} receivers accepted the test alert")
    if failed:
        raise typer.Exit(FAILED)
