"""Gives mails to the mail server of SENDMART_SMTP_URL, over one connection.

An answer of the server says that it has taken a mail, or that it has not. If the connection breaks after the mail itself was on
its way, nobody knows: `MailUnclear`.

Not here: what is in a mail (`reports.mail.message`), which mails were sent (`warehouse.ledger`).
"""

import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from email.utils import parseaddr

from models.masking import sanitize
from warehouse.config import Settings
from warehouse.config.mail_server import Encryption, MailServer, parse_smtp_url

TIMEOUT_SECONDS = 60
"""How long the server may take for an answer."""


class MailNotSent(Exception):
    """The mail server has not taken the mail. The message has no password."""


class MailUnclear(Exception):
    """The connection broke before the mail server's answer: it may have taken the mail."""


def mail_server(settings: Settings) -> MailServer:
    """The mail server, with the password of SENDMART_SMTP_PASSWORD_FILE if there is one.

    Raises:
        MailNotSent: the file cannot be read.
    """
    assert settings.smtp_url is not None  # settings with subscriptions have a server
    server = parse_smtp_url(settings.smtp_url.get_secret_value())
    if settings.smtp_password_file is None:
        return server
    try:
        password = settings.smtp_password_file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise MailNotSent(f"SENDMART_SMTP_PASSWORD_FILE: {settings.smtp_password_file}: {reason}") from None
    return MailServer(server.host, server.port, server.encryption, server.user, password)


class MailSession:
    """A connection to the mail server."""

    def __init__(self, connection: smtplib.SMTP) -> None:
        self._connection = connection

    def is_open(self) -> bool:
        """Whether the server still answers."""
        try:
            return self._connection.noop()[0] == 250
        except (smtplib.SMTPException, OSError):
            return False

    def send(self, mail: EmailMessage) -> None:
        """Gives a mail to the server.

        Raises:
            MailNotSent: the server has not taken it.
            MailUnclear: the server may have taken it.
        """
        content = mail.as_bytes()
        try:
            options = [f"size={len(content)}"] if self._connection.has_extn("size") else []
            self._expect(250, self._connection.mail(parseaddr(mail["From"])[1], options))
            self._expect(250, self._connection.rcpt(mail["To"]))
            self._expect(354, self._connection.docmd("data"))
        except (smtplib.SMTPException, OSError) as error:
            raise MailNotSent(_reason(error)) from None
        try:
            # A line that begins with a dot gets another one: a dot alone ends the mail.
            self._connection.send(re.sub(rb"(?m)^\.", b"..", content) + b".\r\n")
            self._expect(250, self._connection.getreply())
        except (smtplib.SMTPException, OSError) as error:
            raise MailUnclear(_reason(error)) from None

    def _expect(self, code: int, answer: tuple[int, bytes]) -> None:
        if answer[0] != code:
            with suppress(smtplib.SMTPException, OSError):
                self._connection.rset()
            raise MailNotSent(_answer(*answer))


@contextmanager
def mail_session(server: MailServer) -> Iterator[MailSession]:
    """A connection to the mail server, encrypted and logged in.

    Raises:
        MailNotSent: the server cannot be reached, has no valid certificate, or does not accept user and password.
    """
    try:
        connection = _connect(server)
    except (smtplib.SMTPException, OSError) as error:
        raise MailNotSent(f"{server.host}, port {server.port}: {_reason(error)}") from None
    try:
        yield MailSession(connection)
    finally:
        with suppress(smtplib.SMTPException, OSError):
            connection.quit()
        connection.close()


def _connect(server: MailServer) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if server.encryption is Encryption.TLS:
        connection: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_SECONDS, context=context)
    else:
        connection = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_SECONDS)
    try:
        if server.encryption is Encryption.STARTTLS:
            connection.starttls(context=context)
        if server.user:
            connection.login(server.user, server.password)
        connection.ehlo_or_helo_if_needed()
    except BaseException:
        connection.close()
        raise
    return connection


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"the mail server does not accept user and password ({error.smtp_code})"
    if isinstance(error, smtplib.SMTPResponseException):
        return _answer(error.smtp_code, error.smtp_error)
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return "the mail server closed the connection"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the mail server's certificate is not valid: {error.verify_message}"
    if isinstance(error, smtplib.SMTPException):  # these are OSErrors without an error of the system
        return sanitize(str(error))
    return getattr(error, "strerror", None) or "the mail server did not answer in time"


def _answer(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"the mail server answered {code} {sanitize(' '.join(words.split()))[:200]}"
