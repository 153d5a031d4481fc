"""Receivers of alerts on loopback: they take what is sent to them, over HTTP or SMTP, and keep it.

Not here: what must arrive (`tests/unit/test_alerts.py`, `tests/pipeline/test_alerts.py`).
"""

import json
import socket
import threading
from collections.abc import Iterator
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


@contextmanager
def mailbox() -> Iterator[tuple[str, list[EmailMessage]]]:
    """An SMTP server: the URL by which mail reaches it, and what it took."""
    mails: list[EmailMessage] = []

    class Handler:
        async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
            mails.append(message_from_bytes(envelope.content, policy=policy.default))
            return "250 OK"

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(Handler(), hostname="127.0.0.1", port=port, ready_timeout=60)
    controller.start()
    try:
        sender_and_receiver = "from=sendmart@example.com&to=duty@example.com"
        yield f"mailto://127.0.0.1:{port}?{sender_and_receiver}&mode=insecure&format=text", mails
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
