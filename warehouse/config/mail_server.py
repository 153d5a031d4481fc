"""The mail server in SENDMART_SMTP_URL, and what an e-mail address is.

Not here: sending (`reports.mail.delivery`).
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qs, unquote, urlsplit

LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")

_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")
_FORMS = (
    "must be smtps://user:password@host:465 (TLS), smtp://user:password@host:587 (STARTTLS), or smtp://host:25?tls=no"
)


class Encryption(StrEnum):
    """How the connection is encrypted."""

    TLS = "smtps"
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True)
class MailServer:
    """A mail server; `user` and `password` are empty if it wants none."""

    host: str
    port: int
    encryption: Encryption
    user: str = ""
    password: str = field(default="", repr=False)


def is_mail_address(text: str) -> bool:
    """Whether a text is an e-mail address, in ASCII."""
    return len(text) <= 254 and _ADDRESS.fullmatch(text) is not None


def parse_smtp_url(url: str) -> MailServer:
    """The mail server of a URL. Raises ValueError, without any part of the URL, which may hold a password."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        options = parse_qs(parts.query, strict_parsing=True) if parts.query else {}
    except ValueError:
        raise ValueError(_FORMS) from None
    is_known = options in ({}, {"tls": ["no"]}) and parts.path in ("", "/") and not parts.fragment
    if parts.scheme not in ("smtp", "smtps") or not host or not is_known or (parts.scheme == "smtps" and options):
        raise ValueError(_FORMS)
    if parts.scheme == "smtps":
        encryption, default_port = Encryption.TLS, 465
    elif options:
        encryption, default_port = Encryption.NONE, 25
    else:
        encryption, default_port = Encryption.STARTTLS, 587
    if encryption is Encryption.NONE and parts.username and host not in LOOPBACK_HOSTS:
        raise ValueError("must not send a user and a password without encryption: leave out tls=no, or the user")
    return MailServer(
        host, port or default_port, encryption, unquote(parts.username or ""), unquote(parts.password or "")
    )
