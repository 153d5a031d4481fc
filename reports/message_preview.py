"""The message of a campaign as a phone shows it: its text in pieces, Liquid markup told apart, and its segments.

What Liquid markup puts in differs by contact, so a text that holds any is counted without it, and the count is said to be
approximate.

Not here: how the phone is drawn (`reports/templates/_phone.html`).
"""

import re
from dataclasses import dataclass

from reports.database import Row
from reports.sms_segments import Segments, segments

_LIQUID = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.DOTALL)


@dataclass(frozen=True)
class Piece:
    text: str
    is_liquid: bool


@dataclass(frozen=True)
class Message:
    """A message to show. `media` is an address on another host: told, never fetched."""

    sender: str | None
    pieces: list[Piece]
    is_mms: bool
    media: str | None
    max_segments: int | None
    counted: Segments

    @property
    def is_approximate(self) -> bool:
        return any(piece.is_liquid for piece in self.pieces)


def message(details: Row) -> Message:
    """The message of a row of the mart `campaigns`."""
    body = (details["body"] or "").replace("\r\n", "\n")
    pieces = [Piece(text, is_liquid=bool(number % 2)) for number, text in enumerate(_LIQUID.split(body)) if text]
    return Message(
        details["sender"],
        pieces,
        details["campaign_type"] == "MMS",
        details["media_url"],
        details["max_segments"],
        segments("".join(piece.text for piece in pieces if not piece.is_liquid)),
    )
