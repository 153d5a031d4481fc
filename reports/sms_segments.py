"""How many parts a text takes as SMS, and in which encoding.

In GSM-7 a part holds 160 septets, or 153 of a message of several; in UCS-2, which any other character demands of the whole
text, 70 or 67 UTF-16 units. A character of two septets or units does not straddle two parts, so a quotient rounded up is
wrong at boundaries.

Not here: the segments that were charged, which the sends log tells (`total_segments`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

_ONE_PART = {"GSM-7": 160, "UCS-2": 70}
_OF_SEVERAL = {"GSM-7": 153, "UCS-2": 67}


@dataclass(frozen=True)
class Segments:
    """`units` are septets in GSM-7, UTF-16 units in UCS-2."""

    encoding: str
    units: int
    parts: int


def segments(text: str) -> Segments:
    """A text, encoded and divided; an empty one takes no part."""
    sizes = [_septets(character) for character in text]
    encoding = "UCS-2" if None in sizes else "GSM-7"
    if encoding == "UCS-2":
        sizes = [len(character.encode("utf-16-be")) // 2 for character in text]
    units = sum(sizes)
    if units <= _ONE_PART[encoding]:
        return Segments(encoding, units, min(units, 1))
    return Segments(encoding, units, _filled(sizes, _OF_SEVERAL[encoding]))


def _filled(sizes: Iterable[int], room: int) -> int:
    """How many parts of this room the characters fill, one after the other."""
    parts, left = 0, 0
    for size in sizes:
        if size > left:
            parts, left = parts + 1, room
        left -= size
    return parts


@cache
def _septets(character: str) -> int | None:
    """One, or two with an escape; None where GSM-7 has no such character."""
    import gsm0338  # noqa: F401  registers the codec

    try:
        return len(character.encode("gsm03.38"))
    except UnicodeEncodeError:
        return None
