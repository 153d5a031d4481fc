"""Sends the reports that are due by e-mail, each once.

A mail is claimed in the ledger before the mail server gets it, and its end is recorded after the server's answer. A program that
ends in between leaves a claim: the mail may have been sent, is not sent again, and is reported.

Not here: what is in a mail and when it is due (`reports.mail`), the alerts (`orchestration.notifications`), when Sendmart looks
for due mails (`orchestration.cli.refresh`, `orchestration.defs.report_mail`).
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

import duckdb

from models.masking import mask_error, sanitize
from orchestration.stages.context import AppContext, log
from reports.database import NothingPublished, Published, PublishedDatabase
from reports.mail.delivery import MailNotSent, MailSession, MailUnclear, mail_server, mail_session
from reports.mail.message import Report, compose, message, message_id
from reports.mail.schedule import Occasion, last_occasion
from reports.mail.subscriptions import Subscription, load_subscriptions
from warehouse.export import ExportRefused
from warehouse.ledger import MailState, ReportMail, now
from warehouse.publish.daily_figures import last_whole_day

FIRST_RETRY_AFTER, LAST_RETRY_AFTER = timedelta(minutes=30), timedelta(days=1)
"""How soon Dagster tries a mail again that the mail server did not take; each time it waits twice as long."""

STALLED_AFTER = timedelta(hours=1)
"""A mail that has been on its way for longer was left behind by a program that ended."""


class MailOutcome(StrEnum):
    """What became of a mail."""

    SENT = "sent"
    FAILED = "not sent"
    UNCLEAR = "may have been sent"
    WAITING = "waits for data"


@dataclass(frozen=True)
class MailResult:
    """What became of the mail of a subscription to a recipient. `recipient` is empty if it is so for all of them. A result that
    `is_old` was so before.
    """

    subscription: str
    occasion: str
    recipient: str
    outcome: MailOutcome
    reason: str = ""
    is_old: bool = False

    @property
    def is_failure(self) -> bool:
        return not self.is_old and self.outcome in (MailOutcome.FAILED, MailOutcome.UNCLEAR)

    def describe(self) -> str:
        to = f" to {self.recipient}" if self.recipient else ""
        reason = f": {self.reason}" if self.reason else ""
        return sanitize(f"{self.subscription} ({self.occasion}){to}: {self.outcome}{reason}")


@dataclass(frozen=True)
class DueMail:
    """A subscription that is due, its recipients without a mail, and when to try again if all of them were tried (UTC)."""

    subscription: Subscription
    occasion: Occasion
    recipients: tuple[str, ...]
    try_again_at: datetime | None


def send_report_mails(
    context: AppContext, names: Collection[str] = (), *, again: bool = False, at: datetime | None = None
) -> list[MailResult]:
    """Sends the mails that are due at a time, by default now: those of all subscriptions, or of some by name.

    With `again`, also those that were sent or may have been sent. Empty without SENDMART_REPORT_SUBSCRIPTIONS, or before a
    publication.

    Raises:
        SubscriptionsInvalid: the file of the subscriptions cannot be used.
    """
    subscriptions = _subscriptions(context, names)
    if not subscriptions:
        return []
    try:
        with PublishedDatabase(context.settings, context.paths).open() as published:
            due, results = find_due_mails(context, published, subscriptions, at or now(), again=again)
            results += _Sender(context, published, again=again).send(due)
    except NothingPublished:
        return []
    for result in results:
        (log.info if result.outcome is MailOutcome.SENT else log.warning)("report mail: %s", result.describe())
    return results


def send_test_mails(context: AppContext, recipient: str, names: Collection[str] = ()) -> list[MailResult]:
    """Sends the latest mails of the subscriptions to one address, marked as tests. The ledger does not remember them.

    Raises:
        SubscriptionsInvalid: the file of the subscriptions cannot be used.
        NothingPublished: there is no published build.
    """
    subscriptions = _subscriptions(context, names)
    with PublishedDatabase(context.settings, context.paths).open() as published:
        occasions = [(each, _occasion(context, published, each, now())) for each in subscriptions]
        due = [DueMail(each, occasion, (recipient,), None) for each, occasion in occasions if occasion]
        return list(_Sender(context, published, is_test=True).send(due))


def due_report_mails(context: AppContext) -> tuple[list[DueMail], list[MailResult]]:
    """The mails that would be sent now, and those that may have been sent.

    Raises:
        SubscriptionsInvalid: the file of the subscriptions cannot be used.
    """
    subscriptions = _subscriptions(context)
    if not subscriptions:
        return [], []
    try:
        with PublishedDatabase(context.settings, context.paths).open() as published:
            due, results = find_due_mails(context, published, subscriptions, now())
    except NothingPublished:
        return [], []
    return due, [result for result in results if result.outcome is MailOutcome.UNCLEAR]


def find_due_mails(
    context: AppContext,
    published: Published,
    subscriptions: Sequence[Subscription],
    at: datetime,
    *,
    again: bool = False,
) -> tuple[list[DueMail], list[MailResult]]:
    """The mails to send, and the results of those that wait for data or may have been sent."""
    due, results = [], []
    for subscription in subscriptions:
        occasion = _occasion(context, published, subscription, at)
        if occasion is None:
            continue
        mails = {mail.recipient: mail for mail in context.ledger.report_mails(subscription.name, occasion.key)}
        if not again:
            results += [_unclear(mail) for mail in mails.values() if _is_unclear(mail, at)]
        recipients = tuple(
            recipient
            for recipient in subscription.to
            if again or recipient not in mails or mails[recipient].state == MailState.FAILED
        )
        if not recipients:
            continue
        if occasion.period.last > _last_whole_day(context, published):
            reason = f"the published data end before the end of {occasion.period.last}"
            results.append(MailResult(subscription.name, occasion.key, "", MailOutcome.WAITING, reason))
            continue
        tried = [_try_again_at(mails[recipient]) for recipient in recipients if recipient in mails]
        due.append(DueMail(subscription, occasion, recipients, min(tried) if len(tried) == len(recipients) else None))
    return due, results


def _subscriptions(context: AppContext, names: Collection[str] = ()) -> list[Subscription]:
    file = context.settings.report_subscriptions
    loaded = load_subscriptions(file) if file else []
    return [subscription for subscription in loaded if not names or subscription.name in names]


def _last_whole_day(context: AppContext, published: Published) -> date:
    return last_whole_day(published.info["data_until"], context.settings.time_zone)


def _occasion(context: AppContext, published: Published, subscription: Subscription, at: datetime) -> Occasion | None:
    """The latest occasion that is due. None if the published build has no data."""
    if published.info["data_until"] is None:
        return None
    build_id, whole_until = published.info["build_id"], _last_whole_day(context, published)
    return last_occasion(subscription, at, context.settings.time_zone, build_id, whole_until)


def _is_unclear(mail: ReportMail, at: datetime) -> bool:
    return mail.state == MailState.SENDING and bool(mail.error or at - mail.changed_at > STALLED_AFTER)


def _unclear(mail: ReportMail) -> MailResult:
    reason = mail.error or _look_for("the program that sent it ended before the mail server's answer", mail.message_id)
    return MailResult(mail.subscription, mail.occasion, mail.recipient, MailOutcome.UNCLEAR, reason, is_old=True)


def _try_again_at(mail: ReportMail) -> datetime:
    return mail.changed_at + min(FIRST_RETRY_AFTER * (1 << min(mail.tries - 1, 10)), LAST_RETRY_AFTER)


def _look_for(reason: str, message_id: str) -> str:
    return f"{reason}. Look for {message_id} in the mail server's log"


class _Sender:
    """Sends mails over one connection; over a new one after an error."""

    def __init__(
        self, context: AppContext, published: Published, *, again: bool = False, is_test: bool = False
    ) -> None:
        self._context, self._published, self._again, self._is_test = context, published, again, is_test
        self._connection = ExitStack()
        self._session: MailSession | None = None
        self._unreachable: MailNotSent | None = None
        self._sender = context.settings.smtp_from or ""

    def send(self, due: Sequence[DueMail]) -> Iterator[MailResult]:
        with self._connection:
            for mail in due:
                yield from self._send_to_all(mail)

    def _send_to_all(self, due: DueMail) -> Iterator[MailResult]:
        def result(recipient: str, outcome: MailOutcome, reason: str = "") -> MailResult:
            return MailResult(due.subscription.name, due.occasion.key, recipient, outcome, reason)

        try:
            report = compose(self._context.settings, self._published, due.subscription, due.occasion)
        except (duckdb.Error, ExportRefused, OSError) as error:
            mask_error(error)
            yield result("", MailOutcome.FAILED, f"the report could not be written: {error}")
            return
        for recipient in due.recipients:
            try:
                is_sent = self._send(due, report, recipient)
            except MailNotSent as error:
                yield result(recipient, MailOutcome.FAILED, str(error))
            except MailUnclear as error:
                yield result(recipient, MailOutcome.UNCLEAR, str(error))
            else:
                if is_sent:
                    yield result(recipient, MailOutcome.SENT)

    def _send(self, due: DueMail, report: Report, recipient: str) -> bool:
        """Sends a mail to a recipient. False if another process is sending it."""
        name, occasion, ledger, at = due.subscription.name, due.occasion.key, self._context.ledger, now()
        is_new = self._again or self._is_test
        identity = message_id(name, occasion, recipient, self._sender, at=at if is_new else None)
        mail = message(report, self._sender, recipient, identity, at, is_test=self._is_test)
        if self._is_test:
            self._open_session().send(mail)
            return True

        def claim() -> bool:
            build_id = self._published.info["build_id"]
            return ledger.claim_mail(name, occasion, recipient, identity, build_id, again=self._again)

        try:
            session = self._open_session()
        except MailNotSent as error:
            if claim():
                ledger.record_mail(name, occasion, recipient, MailState.FAILED, str(error))
            raise
        if not claim():
            return False
        try:
            session.send(mail)
        except MailNotSent as error:
            ledger.record_mail(name, occasion, recipient, MailState.FAILED, str(error))
            raise
        except MailUnclear as error:
            reason = _look_for(str(error), identity)
            ledger.record_mail(name, occasion, recipient, MailState.SENDING, reason)
            raise MailUnclear(reason) from None
        ledger.record_mail(name, occasion, recipient, MailState.SENT)
        return True

    def _open_session(self) -> MailSession:
        """The connection; after an error of a mail, a new one. A server that could not be reached is not tried again."""
        if self._unreachable is not None:
            raise self._unreachable
        if self._session is None or not self._session.is_open():
            self._connection.close()
            try:
                self._session = self._connection.enter_context(mail_session(mail_server(self._context.settings)))
            except MailNotSent as error:
                self._unreachable = error
                raise
        return self._session
