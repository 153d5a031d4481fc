"""Mails the reports that are due, and alerts about mails that cannot be sent. `sendmart refresh`, `sendmart report-mail` and
Dagster's job call it. An error here never fails a refresh: the figures are published.

Not here: sending and the ledger (`orchestration.stages.report_mail`), the alerts (`orchestration.notifications`).
"""

from typing import TYPE_CHECKING

from models.masking import mask_error, masking_logger
from orchestration import notifications
from orchestration.stages import AppContext

if TYPE_CHECKING:
    from orchestration.stages.report_mail import MailResult

log = masking_logger("sendmart")

FILE = "SENDMART_REPORT_SUBSCRIPTIONS"


def mail_reports(context: AppContext) -> "list[MailResult]":
    """Sends the mails that are due. Returns what became of them; none if the file of the subscriptions cannot be used."""
    if context.settings.report_subscriptions is None:
        return []
    try:
        # Reports need the templates and the web pages' queries: not imported where nobody gets mails.
        from orchestration.stages.report_mail import MailOutcome, send_report_mails

        results = send_report_mails(context)
    except Exception as error:
        mask_error(error)
        log.warning("report mails could not be sent: %s", error)
        notifications.notify_report_mails(context, {FILE: f"{type(error).__name__}: {error}"}, (), {})
        return []
    failed: dict[str, list[MailResult]] = {}
    for result in results:
        if result.outcome is MailOutcome.FAILED:
            failed.setdefault(result.subscription, []).append(result)
    failing = {name: _summary(mails) for name, mails in failed.items()}
    waiting = [result.subscription for result in results if result.outcome is MailOutcome.WAITING]
    unclear = {
        f"{result.subscription} {result.occasion} {result.recipient}": result.describe()
        for result in results
        if result.outcome is MailOutcome.UNCLEAR
    }
    notifications.notify_report_mails(context, failing, waiting, unclear)
    return results


def _summary(mails: "list[MailResult]") -> str:
    """One line about the failed mails of a subscription."""
    more = f" (and {len(mails) - 1} more)" if len(mails) > 1 else ""
    return mails[0].describe() + more
