"""Receivers of alerts on loopback: they take what is sent to them, over HTTP or SMTP, and keep it.

Not here: what must arrive (`tests/unit/test_alerts.py`, `tests/pipeline/test_alerts.py`).
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

SECRET = "a-secret-in-the-path"


@dataclass
class Receiver:
    """A webhook; answers 500 while it `is_down`."""

    url: str = ""
    alerts: list[dict[str, Any]] = field(default_factory=list)
    is_down: bool = False

    @property
    def titles(self) -> list[str]:
        """The titles of the received alerts, without the prefix that all have."""
        return [alert["title"].removeprefix("Sendmart: ") for alert in self.alerts]


@dataclass
class Mailbox:
    """An SMTP server: its port, and what it took. `on_mail` is called before a mail is answered. While
    it `breaks_off`, it takes a mail and closes the connection without an answer.
    """

    port: int
    mails: list[EmailMessage] = field(default_factory=list)
    answer: str = "250 OK"
    refused_recipients: set[str] = field(default_factory=set)
    breaks_off: bool = False
    on_mail: Callable[[], object] = lambda: None

    @property
    def recipients(self) -> list[str]:
        return [str(mail["To"]) for mail in self.mails]

    @property
    def alert_url(self) -> str:
        """The URL by which alerts reach it."""
        sender_and_receiver = "from=sendmart@example.com&to=duty@example.com"
        return f"mailto://127.0.0.1:{self.port}?{sender_and_receiver}&mode=insecure&format=text"


@contextmanager
def mailbox(**options: Any) -> Iterator[Mailbox]:
    """An SMTP server with these options of aiosmtpd."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        box = Mailbox(free.getsockname()[1])

    class Handler:
        async def handle_RCPT(  # noqa: N802
            self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
        ) -> str:
            if address in box.refused_recipients:
                return "550 no such mailbox"
            envelope.rcpt_tos.append(address)
            return "250 OK"

        async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
            if box.answer.startswith("250"):
                box.mails.append(message_from_bytes(envelope.content, policy=policy.default))
            box.on_mail()
            if box.breaks_off:
                server.transport.abort()
            return box.answer

    controller = Controller(Handler(), hostname="127.0.0.1", port=box.port, ready_timeout=60, **options)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


@contextmanager
def webhook() -> Iterator[Receiver]:
    """A webhook that takes JSON."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not receiver.is_down:
                receiver.alerts.append(body)
            self.send_response(500 if receiver.is_down else 200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    receiver.url = f"json://127.0.0.1:{server.server_port}/{SECRET}"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
