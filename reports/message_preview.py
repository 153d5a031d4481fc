"""The message of a campaign as a phone shows it: its text with Liquid markup set apart, and its SMS segments.

Liquid markup inserts another text for each contact. A text with markup is counted without it, and its count is shown as
approximate. In GSM-7, a single segment holds 160 septets, and each of several segments holds 153. A character outside GSM-7
makes the whole text UCS-2, with 70 or 67 UTF-16 units. A character of two septets or units is never split between segments,
so the quotient of length and size is wrong at some boundaries.

Not here: the HTML of the phone (`reports/templates/_phone.html`), the segments that were charged, which the sends log holds
(`total_segments`).
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from reports.database import Row

_LIQUID = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.DOTALL)
_SEGMENT_SIZES = {"GSM-7": (160, 153), "UCS-2": (70, 67)}
"""By encoding, the size of a single segment, and of each of several."""


@dataclass(frozen=True)
class Segments:
    """The segments of a text. `units` are septets in GSM-7 and UTF-16 units in UCS-2."""

    encoding: str
    units: int
    count: int


class Piece(NamedTuple):
    """A part of the text: Liquid markup or plain text."""

    text: str
    is_liquid: bool


class Message(NamedTuple):
    """The text of a message."""

    pieces: list[Piece]
    segments: Segments

    @property
    def is_approximate(self) -> bool:
        return any(piece.is_liquid for piece in self.pieces)


def message_preview(details: Row) -> Message:
    """The message of a row of the mart `campaigns`."""
    body = (details["body"] or "").replace("\r\n", "\n")
    pieces = [Piece(text, is_liquid=bool(index % 2)) for index, text in enumerate(_LIQUID.split(body)) if text]
    return Message(pieces, count_segments("".join(piece.text for piece in pieces if not piece.is_liquid)))


def count_segments(text: str) -> Segments:
    """The segments of a text. An empty text has none."""
    septets = [_septets(character) for character in text]
    sizes = [size for size in septets if size is not None]
    encoding = "GSM-7" if len(sizes) == len(text) else "UCS-2"
    if encoding == "UCS-2":
        sizes = [len(character.encode("utf-16-be")) // 2 for character in text]
    single, of_many = _SEGMENT_SIZES[encoding]
    units = sum(sizes)
    if units <= single:
        return Segments(encoding, units, min(units, 1))
    count, room = 0, 0
    for size in sizes:
        if size > room:
            count, room = count + 1, of_many
        room -= size
    return Segments(encoding, units, count)


@cache
def _septets(character: str) -> int | None:
    """The septets of a character: one, or two with an escape; None if GSM-7 does not have it."""
    import gsm0338  # type: ignore[import-untyped]  # noqa: F401  registers the codec; has no type stubs

    try:
        return len(character.encode("gsm03.38"))
    except UnicodeEncodeError:
        return None
