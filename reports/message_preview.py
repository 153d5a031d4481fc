"""The message of a campaign as a phone shows it: its text with Liquid markup set apart, and its segments.

Liquid markup inserts another text for each contact. A text with markup is counted without it, and its count is shown as
approximate.

Not here: the HTML of the phone (`reports/templates/_phone.html`).
"""

import re
from dataclasses import dataclass

from reports.database import Row
from reports.sms_segments import Segments, count_segments

_LIQUID = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.DOTALL)


@dataclass(frozen=True)
class Piece:
    """A part of the text: Liquid markup or plain text."""

    text: str
    is_liquid: bool


@dataclass(frozen=True)
class Message:
    """A message. `media` is a link to another host: it is shown as text and never loaded."""

    sender: str | None
    pieces: list[Piece]
    is_mms: bool
    media: str | None
    max_segments: int | None
    segments: Segments

    @property
    def is_approximate(self) -> bool:
        return any(piece.is_liquid for piece in self.pieces)


def message_preview(details: Row) -> Message:
    """The message of a row of the mart `campaigns`."""
    body = (details["body"] or "").replace("\r\n", "\n")
    pieces = [Piece(text, is_liquid=bool(index % 2)) for index, text in enumerate(_LIQUID.split(body)) if text]
    return Message(
        details["sender"],
        pieces,
        details["campaign_type"] == "MMS",
        details["media_url"],
        details["max_segments"],
        count_segments("".join(piece.text for piece in pieces if not piece.is_liquid)),
    )
