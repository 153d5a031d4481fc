"""E-mails with reports: which subscription was sent to whom for which period, so that none is sent twice.

A mail is recorded as `sending` before the mail server gets it. If the program ends before the server's answer is recorded, the
record stays: nobody knows whether the mail was sent, and it is not sent again.

Not here: when a mail is due (`reports.mail.schedule`), sending it (`orchestration.stages.report_mail`).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from warehouse.ledger.store import Store, now


class MailState(StrEnum):
    """How far a mail has come. Only a failed one is sent again: the mail server has not taken it."""

    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True)
class ReportMail:
    """A mail of a subscription to one recipient. `occasion` names its period, or the build; `changed_at` is in UTC. `tries`:
    how often it was given to the mail server.
    """

    subscription: str
    occasion: str
    recipient: str
    message_id: str
    build_id: str
    state: str
    changed_at: datetime
    error: str
    tries: int


class ReportMails(Store):
    """The mails by subscription, occasion and recipient."""

    tables = """
    create table if not exists report_mails (
        subscription text not null, occasion text not null, recipient text not null,
        message_id text not null, build_id text not null, state text not null, changed_at text not null, error text not null,
        tries integer not null,
        primary key (subscription, occasion, recipient)
    );
    """

    def claim_mail(
        self, subscription: str, occasion: str, recipient: str, message_id: str, build_id: str, *, again: bool = False
    ) -> bool:
        """Records that a mail is about to be sent. False if it was sent, or another process is sending it.

        With `again`, a mail is sent whatever became of it before.
        """
        condition = "true" if again else f"report_mails.state = '{MailState.FAILED}'"
        with self._transaction() as connection:
            cursor = connection.execute(
                f"insert into report_mails values (?, ?, ?, ?, ?, '{MailState.SENDING}', ?, '', 1)"
                " on conflict do update set message_id = excluded.message_id, build_id = excluded.build_id,"
                " state = excluded.state, changed_at = excluded.changed_at, error = '', tries = tries + 1"
                f" where {condition}",
                (subscription, occasion, recipient, message_id, build_id, now()),
            )
            return cursor.rowcount == 1

    def record_mail(self, subscription: str, occasion: str, recipient: str, state: MailState, error: str = "") -> None:
        """Records the mail server's answer to a mail that was claimed."""
        self._execute(
            "update report_mails set state = ?, changed_at = ?, error = ?"
            " where (subscription, occasion, recipient) = (?, ?, ?)",
            state, now(), error, subscription, occasion, recipient,
        )  # fmt: skip

    def report_mails(self, subscription: str, occasion: str | None = None) -> list[ReportMail]:
        """The mails of a subscription, of one occasion or of all, in the order of their records."""
        return self._all(
            ReportMail,
            "select * from report_mails where subscription = ? and occasion = coalesce(?, occasion) order by rowid",
            subscription, occasion,
        )  # fmt: skip
