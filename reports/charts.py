"""The geometry of charts: rectangles and ticks, in the units of the SVG in the templates.

Templates draw the charts and the style sheet colours them: they follow light and dark mode, can be printed and need no
script. Every chart has a table with its values.

Not here: colours and texts (`reports/static`, `reports/templates`).
"""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

WIDTH, HEIGHT = 640, 150
"""The drawing area of a chart over time; axis labels are outside it."""

MOST_LABELS = 6


class Bar(NamedTuple):
    """A rectangle; `x` and `y` are its top left corner."""

    x: float
    y: float
    width: float
    height: float


def shares(values: Sequence[float | int | None], width: float = 100) -> list[Bar]:
    """Parts of a whole, side by side over the width; without any width if the whole is 0."""
    whole = float(sum(value or 0 for value in values))
    widths = [width * float(value or 0) / whole if whole else 0.0 for value in values]
    starts = accumulate(widths, initial=0.0)
    return [Bar(round(start, 3), 0, round(part, 3), 1) for start, part in zip(starts, widths, strict=False)]


def lengths(values: Sequence[float | int | None], width: float = 100) -> list[float]:
    """The lengths of bars in proportion; the longest has the full width."""
    longest = max((float(value or 0) for value in values), default=0.0)
    return [round(width * float(value or 0) / longest, 3) if longest > 0 else 0.0 for value in values]


def ticks(highest: float, about: int = 4) -> list[int]:
    """About as many whole numbers as given, from 0 to at least `highest`, in steps of 1, 2 or 5 times a power of ten."""
    least = max(highest, 1) / about
    power = 10 ** math.floor(math.log10(least)) if least >= 1 else 1
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= least)
    return [step * number for number in range(math.ceil(max(highest, 1) / step) + 1)]


class Stacked(NamedTuple):
    """Stacked columns over time; `series[0]` is at the bottom. `ticks` are heights and their values."""

    series: list[list[Bar]]
    ticks: list[tuple[float, int]]
    labelled: list[tuple[float, int]]
    """The columns with a label: the middle of the column, and its index."""


def stacked(series: Sequence[Sequence[int]]) -> Stacked:
    """Stacked columns of equal width. The series have the same length, which is at least 1."""
    number = len(series[0])
    marks = ticks(max(sum(values) for values in zip(*series, strict=True)))
    slot, top = WIDTH / number, marks[-1]
    gap = min(slot * 0.2, 4)
    below = [0.0] * number
    drawn = []
    for values in series:
        heights = [HEIGHT * value / top for value in values]
        below = [lower + height for lower, height in zip(below, heights, strict=True)]
        drawn.append(
            [
                Bar(round(at * slot + gap / 2, 2), round(HEIGHT - below[at], 2), round(slot - gap, 2), round(height, 2))
                for at, height in enumerate(heights)
            ]
        )
    heights_of_marks = [(round(HEIGHT - HEIGHT * mark / top, 2), mark) for mark in marks]
    labelled = [(round((at + 0.5) * slot, 2), at) for at in range(0, number, math.ceil(number / MOST_LABELS))]
    return Stacked(drawn, heights_of_marks, labelled)
