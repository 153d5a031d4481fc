"""`sendmart report-mail`: send the reports that are due by e-mail, or try it."""

from typing import Annotated

import typer

from models.masking import sanitize
from orchestration.cli.common import FAILED, USAGE_ERROR, fail, open_context
from orchestration.stages import AppContext


def report_mail(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names of subscriptions. Default: all.", show_default=False)
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Send the latest mails to this address only, marked as tests, due or not."
        ),
    ] = None,
    again: Annotated[
        bool,
        typer.Option(help="Send the latest mails of the named subscriptions again, whatever became of them before."),
    ] = False,
    dry_run: Annotated[bool, typer.Option(help="Show what would be sent, and send nothing.")] = False,
) -> None:
    """Send the reports that are due by e-mail, each once. Subscriptions are in the file SENDMART_REPORT_SUBSCRIPTIONS.

    `sendmart refresh` does the same at its end, and so does Dagster every minute. docs/report-mail.md describes the file.

    Exit code 0: everything due was sent, or nothing was due. 1: a mail was not sent, or may not have been. 2: the file, an
    argument or a setting is invalid.
    """
    from orchestration.report_mail import mail_reports
    from orchestration.stages.report_mail import due_report_mails, send_report_mails, send_test_mails
    from reports.database import NothingPublished
    from reports.mail.subscriptions import SubscriptionsInvalid
    from warehouse.config.mail_server import is_mail_address

    context = open_context()
    names = names or []
    _check_names(context, names)
    if again and not names:
        fail("--again needs the name of a subscription", USAGE_ERROR)
    if test is not None and not is_mail_address(test):
        fail(f"--test: {test!r} is no e-mail address", USAGE_ERROR)
    try:
        if dry_run:
            for mail in due_report_mails(context)[0]:
                if not names or mail.subscription.name in names:
                    typer.echo(
                        sanitize(f"{mail.subscription.name} ({mail.occasion.key}): {', '.join(mail.recipients)}")
                    )
            return
        if test is not None:
            results = send_test_mails(context, test, names)
        elif names:
            results = send_report_mails(context, names, again=again)
        else:
            results = mail_reports(context)
    except SubscriptionsInvalid as error:
        fail(str(error), USAGE_ERROR)
    except NothingPublished as error:
        fail(f"{error}. Next: sendmart refresh")
    for result in results:
        typer.echo(result.describe(), err=result.is_failure)
    if not results:
        typer.echo("No mail is due")
    if any(result.is_failure for result in results):
        raise typer.Exit(FAILED)


def _check_names(context: AppContext, names: list[str]) -> None:
    """Ends the program if there are no subscriptions, the file is invalid, or a name is unknown."""
    from reports.mail.subscriptions import SubscriptionsInvalid, load_subscriptions

    file = context.settings.report_subscriptions
    if file is None:
        fail("SENDMART_REPORT_SUBSCRIPTIONS is not set: nobody gets reports. See docs/report-mail.md", USAGE_ERROR)
    try:
        known = [subscription.name for subscription in load_subscriptions(file)]
    except SubscriptionsInvalid as error:
        fail(str(error), USAGE_ERROR)
    if unknown := [name for name in names if name not in known]:
        fail(f"No such subscription: {', '.join(unknown)}. Subscriptions: {', '.join(known)}", USAGE_ERROR)
