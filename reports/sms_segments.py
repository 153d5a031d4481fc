"""Counts the SMS segments of a text and names its encoding.

In GSM-7, a single segment holds 160 septets, and each of several segments holds 153. A character outside GSM-7 makes the
whole text UCS-2, with 70 or 67 UTF-16 units. A character of two septets or units is never split between segments, so the
quotient of length and size is wrong at some boundaries.

Not here: the segments that were charged, which the sends log holds (`total_segments`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

_SINGLE = {"GSM-7": 160, "UCS-2": 70}
_OF_MANY = {"GSM-7": 153, "UCS-2": 67}


@dataclass(frozen=True)
class Segments:
    """The segments of a text. `units` are septets in GSM-7 and UTF-16 units in UCS-2."""

    encoding: str
    units: int
    count: int


def count_segments(text: str) -> Segments:
    """The segments of a text. An empty text has none."""
    septets = [_septets(character) for character in text]
    sizes = [size for size in septets if size is not None]
    encoding = "GSM-7" if len(sizes) == len(text) else "UCS-2"
    if encoding == "UCS-2":
        sizes = [len(character.encode("utf-16-be")) // 2 for character in text]
    units = sum(sizes)
    if units <= _SINGLE[encoding]:
        return Segments(encoding, units, min(units, 1))
    return Segments(encoding, units, _fill(sizes, _OF_MANY[encoding]))


def _fill(sizes: Iterable[int], capacity: int) -> int:
    """The number of segments of this capacity that the characters fill, in order."""
    segments, room = 0, 0
    for size in sizes:
        if size > room:
            segments, room = segments + 1, capacity
        room -= size
    return segments


@cache
def _septets(character: str) -> int | None:
    """The septets of a character: one, or two with an escape; None if GSM-7 does not have it."""
    import gsm0338  # type: ignore[import-untyped]  # noqa: F401  registers the codec; has no type stubs

    try:
        return len(character.encode("gsm03.38"))
    except UnicodeEncodeError:
        return None
